using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>Which events a history shows.</summary>
/// <param name="Types">Any of these types; empty = all.</param>
/// <param name="Aggregate">Events of this aggregate; null = all.</param>
/// <param name="Default">The aggregate that events of this entity belong to that name none.</param>
internal sealed record EventFilter(IReadOnlyList<byte[]> Types, byte[]? Aggregate, byte[] Default)
{
    public static EventFilter None { get; } = new([], null, []);

    public bool IsNone => Types.Count == 0 && Aggregate is null;

    public bool Matches(in EventFields e)
    {
        if (Aggregate is not null && !(e.Aggregate.IsEmpty ? Default : e.Aggregate).SequenceEqual(Aggregate)) return false;
        if (Types.Count == 0) return true;
        foreach (var type in Types)
            if (e.Type.SequenceEqual(type)) return true;
        return false;
    }
}
