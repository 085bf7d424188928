namespace Warp.Http.Projections;

/// <summary>One statement to be answered, with its parameters: by place, by name, or none.</summary>
internal sealed record SqlQuery(string Sql)
{
    public IReadOnlyList<SqlValue> Positional { get; init; } = [];

    /// <summary>By name, without the <c>:</c>, <c>@</c> or <c>$</c> that stands before it in SQL; null = they are given by place.</summary>
    public IReadOnlyDictionary<string, SqlValue>? Named { get; init; }

    /// <summary>Null: the store's setting. The embedded store reads its own file, which has nothing newer anywhere.</summary>
    public ReadLevel? Level { get; init; }
}

/// <summary>What an answer may cost.</summary>
/// <param name="Bytes">Of all values as they stand in the store; an answer's form may need more.</param>
internal sealed record QueryCaps(int Rows, int Bytes, TimeSpan Time);

internal enum QueryStatus : byte
{
    Answered,

    /// <summary>It is no statement that may be asked; the detail is for whoever wrote it.</summary>
    Invalid,

    /// <summary>Its parameters are not the ones that were given.</summary>
    WrongParameters,

    /// <summary>It ran for as long as it may.</summary>
    TimedOut,

    /// <summary>It was not begun: others took all the time it had.</summary>
    Overloaded,

    /// <summary>The projections it reads did not come far enough while it waited.</summary>
    Stale,
}

/// <summary>A projection's table that a statement reads.</summary>
/// <param name="Position">Its checkpoint as the statement saw it.</param>
internal sealed record ReadTable(string Name, string Projection, string Position);

/// <summary>What became of a statement.</summary>
internal sealed record QueryOutcome(QueryStatus Status, string? Detail = null)
{
    /// <summary>The statement alone, without what may follow it.</summary>
    public string Statement { get; init; } = "";

    public IReadOnlyList<string> Columns { get; init; } = [];

    /// <summary>One value a column each.</summary>
    public IReadOnlyList<SqlValue[]> Rows { get; init; } = [];

    /// <summary>True if there is more than the caps let through.</summary>
    public bool IsTruncated { get; init; }

    public IReadOnlyList<ReadTable> Tables { get; init; } = [];
}

/// <summary>Answers statements from the tables of projections, and changes nothing.</summary>
/// <remarks>Any thread. What is wrong with a statement is an outcome; only trouble of the store is a <see cref="ProjectionStoreException"/>.</remarks>
internal interface IQueryStore
{
    /// <summary>Judges a statement without running it, and says which tables it reads.</summary>
    ValueTask<QueryOutcome> CheckAsync(SqlQuery query, CancellationToken cancellation);

    /// <summary>Judges it and runs it, all on one state of the tables.</summary>
    ValueTask<QueryOutcome> QueryAsync(SqlQuery query, QueryCaps caps, CancellationToken cancellation);
}
