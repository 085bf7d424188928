namespace Warp.Http.Aggregates.Values;

/// <summary>Whose maps are, who counts what it copies to make them its own: work that no expression is charged for.</summary>
internal sealed class MapOwner
{
    /// <summary>Members of all maps that were copied for this owner.</summary>
    public long Copied { get; set; }
}
