using Warp.Http.Entities;

namespace Warp.Http.Endpoints;

/// <summary>A line of a stream on its way from the reading to the replying side: posted, or refused.</summary>
internal struct StreamLine
{
    /// <summary>From 1; empty lines count.</summary>
    public long Number;

    /// <summary>The place's own command, used again by the lines that come after it; null until the first.</summary>
    public AppendCommand? Command;

    /// <summary>The shard of a posted command.</summary>
    public int Shard;

    /// <summary>Set if the line was refused; its command is then not under way.</summary>
    public Problem? Problem;

    /// <summary>The entity that a refused line names, if it could be read.</summary>
    public byte[]? Entity;
}
