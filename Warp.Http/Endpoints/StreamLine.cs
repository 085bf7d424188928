using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>A line of a stream on its way from the reading to the replying side: posted, or refused.</summary>
internal readonly struct StreamLine
{
    /// <summary>From 1; empty lines count.</summary>
    public required long Number { get; init; }

    /// <summary>The posted command; whoever has awaited its outcome returns it. Null if the line was refused.</summary>
    public AppendCommand? Command { get; init; }

    /// <summary>The shard of a posted command.</summary>
    public int Shard { get; init; }

    public ValueTask<AppendOutcome> Outcome { get; init; }

    public Problem? Problem { get; init; }

    /// <summary>The entity that a refused line names, if it could be read.</summary>
    public byte[]? Entity { get; init; }
}
