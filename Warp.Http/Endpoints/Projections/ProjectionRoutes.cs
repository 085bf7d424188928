namespace Warp.Http.Endpoints;

/// <summary>The routes of projections, and of queries over their tables.</summary>
internal static class ProjectionRoutes
{
    public static IEndpointRouteBuilder MapProjections(this IEndpointRouteBuilder routes)
    {
        var projections = routes.MapGroup("/v1/projections").WithTags("Projections");
        projections.MapGet("", routes.Handler<ProjectionEndpoints>(e => e.ListAsync));
        projections.MapPut("/{name}", routes.Handler<ProjectionEndpoints>(e => e.PutAsync));
        projections.MapGet("/{name}", routes.Handler<ProjectionEndpoints>(e => e.GetAsync));
        projections.MapDelete("/{name}", routes.Handler<ProjectionEndpoints>(e => e.DeleteAsync));
        projections.MapPost("/{name}/rebuild", routes.Handler<ProjectionEndpoints>(e => e.RebuildAsync));
        routes.MapGroup("/v1/query").WithTags("Projections").MapPost("", routes.Handler<QueryEndpoint>(e => e.PostAsync));
        return routes;
    }
}
