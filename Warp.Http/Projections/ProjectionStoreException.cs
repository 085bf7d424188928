namespace Warp.Http.Projections;

/// <summary>The store of projections refused a call, or can't be reached. Whether a change happened is not known.</summary>
public sealed class ProjectionStoreException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>True if the same call may succeed later without anybody's doing.</summary>
    public bool IsTransient { get; init; } = true;
}
