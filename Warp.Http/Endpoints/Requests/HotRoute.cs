namespace Warp.Http.Endpoints;

/// <summary>Metadata of the endpoints that are chosen from the raw target alone: matching and its route values cost more than the check.</summary>
internal enum HotRoute
{
    Append,
    State,
}
