using System.Globalization;

namespace Warp.Http.Tests.Recovery;

internal enum DeedKind
{
    Append,
    Erase,
}

/// <summary>One thing that a traced service was asked for, by one client that waits for each answer before it asks again.</summary>
internal sealed class Deed(int serial, DeedKind kind, string entity, int events, string pad)
{
    public int Serial { get; } = serial;
    public DeedKind Kind { get; } = kind;
    public string Entity { get; } = entity;
    public int Events { get; } = events;

    /// <summary>The trace's length when it was asked: nothing of it stands before.</summary>
    public long AskedAt { get; init; }

    /// <summary>The trace's length when the promise was in the client's hands; <see cref="long.MaxValue"/> where none was given.</summary>
    public long PromisedAt { get; set; } = long.MaxValue;

    public long FirstSeq { get; set; }

    public string Payload(int index) => string.Create(
        CultureInfo.InvariantCulture, $$"""{"n":{{Serial}},"i":{{index}},"k{{Serial % 5}}":"{{Serial}}.{{index}}","pad":"{{pad}}"}""");

    /// <summary>Long enough to be found in a file by chance never; what an erasure must leave nowhere.</summary>
    public string Residue => pad;

    public override string ToString() => $"{Kind} {Serial} of {Entity}, {Events} events";
}
