namespace Warp.Http.Aggregates;

/// <summary>A named definition as it stands now. Another version is another object.</summary>
/// <param name="Version">From 1; goes on where it was if the name was deleted and is defined again.</param>
/// <param name="CreatedAtMs">Unix milliseconds of the first version since the name was last deleted.</param>
/// <param name="UpdatedAtMs">Unix milliseconds of this version.</param>
public sealed record AggregateEntry(string Name, int Version, AggregateDefinition Definition, long CreatedAtMs, long UpdatedAtMs);

/// <summary>One version of a definition, present or past.</summary>
/// <param name="WrittenAtMs">Unix milliseconds.</param>
/// <param name="Source">The body as it was sent, UTF-8 JSON.</param>
public sealed record AggregateVersion(int Version, long WrittenAtMs, ReadOnlyMemory<byte> Source);

/// <summary>Some versions of a definition, newest first.</summary>
/// <param name="Next">The version before which the rest is; null = there is no more.</param>
public sealed record AggregateVersions(IReadOnlyList<AggregateVersion> Versions, int? Next);

public enum PutStatus
{
    /// <summary>The name was not defined.</summary>
    Created,

    /// <summary>A new version stands.</summary>
    Replaced,

    /// <summary>The body is JSON-equal to the version that stands; nothing was written.</summary>
    Unchanged,

    /// <summary>The body is no definition; see <see cref="PutOutcome.Errors"/>.</summary>
    Invalid,
}

/// <summary>What became of a definition that was put.</summary>
/// <param name="Entry">What stands now; null if invalid.</param>
/// <param name="Errors">Everything that is wrong with the body; empty unless invalid.</param>
public sealed record PutOutcome(PutStatus Status, AggregateEntry? Entry, IReadOnlyList<DefinitionError> Errors);

/// <summary>The aggregate of events that name none.</summary>
/// <param name="Name">Empty if ambiguous.</param>
/// <param name="Entry">Its definition; null folds by default merge.</param>
/// <param name="Conflict">The names, if several definitions claim the kind (422); else null.</param>
public readonly record struct DefaultAggregate(string Name, AggregateEntry? Entry, IReadOnlyList<string>? Conflict);

/// <summary>Whose the events are that name no aggregate.</summary>
public enum DefaultOwner : byte
{
    /// <summary>Another aggregate's, or nobody's while others contend for them.</summary>
    Other,

    /// <summary>This aggregate's.</summary>
    Own,

    /// <summary>This aggregate claims them and so does another: neither can be folded over them.</summary>
    Contested,
}

public enum DeleteStatus
{
    Deleted,

    NotDefined,

    /// <summary>Nothing was changed; see <see cref="DeleteOutcome.Users"/>.</summary>
    InUse,
}

/// <summary>What became of a definition that was to be deleted.</summary>
/// <param name="Users">What uses it, if it is in use.</param>
public readonly record struct DeleteOutcome(DeleteStatus Status, IReadOnlyList<string> Users);
