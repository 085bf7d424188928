namespace Warp.Http.Endpoints;

/// <summary>Headers that all answers about an entity share.</summary>
internal static class EntityHeaders
{
    /// <summary>Stored nowhere but with the client, and asked again each time: an erased person must not live on in caches.</summary>
    public const string CacheControl = "private, no-cache";
}
