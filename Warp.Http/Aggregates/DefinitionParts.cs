using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates;

/// <summary>The members of a definition's body as they are read, with their defaults.</summary>
internal sealed class DefinitionParts
{
    public JsonMap Initial { get; set; } = JsonMap.Empty;

    public Dictionary<byte[], FoldRule> Rules { get; } = new(Utf8Comparer.Instance);

    public Otherwise Otherwise { get; set; }

    public bool IsStrict { get; set; }

    public List<Invariant> Invariants { get; } = [];

    public List<UpcastRule> Upcasts { get; } = [];

    public string? DefaultForKind { get; set; }
}
