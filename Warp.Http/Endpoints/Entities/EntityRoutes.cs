namespace Warp.Http.Endpoints;

/// <summary>The routes of entities. Names of kinds and ids stand in the patterns for matching only: handlers read the raw target.</summary>
internal static class EntityRoutes
{
    public static IEndpointRouteBuilder MapEntities(this IEndpointRouteBuilder routes)
    {
        var entities = routes.MapGroup("/v1/entities").WithTags("Entities");
        entities.MapGet("", routes.Handler<EntityEndpoints>(e => e.ListAsync));
        var entity = entities.MapGroup("/{kind}/{id}");
        entity.MapMethods("", [HttpMethods.Get, HttpMethods.Head], routes.Handler<EntityEndpoints>(e => e.DescribeAsync));
        entity.MapDelete("", routes.Handler<ErasureEndpoints>(e => e.EraseAsync));
        entity.MapPost("/events", routes.Handler<AppendEndpoint>(e => e.HandleAsync)).WithMetadata(new HotRouteMetadata(HotRoute.Append));
        entity.MapGet("/events", routes.Handler<HistoryEndpoint>(e => e.HandleAsync));
        entity.MapGet("/aggregates/{aggregate}", routes.Handler<StateEndpoint>(e => e.HandleAsync)).WithMetadata(new HotRouteMetadata(HotRoute.State));
        entity.MapGet("/aggregates/{aggregate}/diff", routes.Handler<DiffEndpoint>(e => e.HandleAsync));
        entity.MapGet("/subscribe", routes.Handler<SubscribeEndpoints>(e => e.SubscribeToEntityAsync));
        entity.MapGet("/export", routes.Handler<ExportEndpoint>(e => e.HandleAsync));
        routes.MapGet("/v1/erasures/{receiptId}", routes.Handler<ErasureEndpoints>(e => e.GetAsync)).WithTags("Entities");
        routes.MapGet("/v1/subscribe", routes.Handler<SubscribeEndpoints>(e => e.SubscribeToAllAsync)).WithTags("Entities");
        routes.MapPost("/v1/events", routes.Handler<StreamEndpoint>(e => e.HandleAsync)).WithTags("Entities");
        return routes;
    }

    public static IEndpointRouteBuilder MapAggregates(this IEndpointRouteBuilder routes)
    {
        var aggregates = routes.MapGroup("/v1/aggregates").WithTags("Aggregates");
        aggregates.MapGet("", routes.Handler<AggregateEndpoints>(e => e.ListAsync));
        aggregates.MapPut("/{name}", routes.Handler<AggregateEndpoints>(e => e.PutAsync));
        aggregates.MapGet("/{name}", routes.Handler<AggregateEndpoints>(e => e.GetAsync));
        aggregates.MapDelete("/{name}", routes.Handler<AggregateEndpoints>(e => e.DeleteAsync));
        aggregates.MapPost("/{name}/try", routes.Handler<TryEndpoint>(e => e.HandleAsync));
        return routes;
    }

    public static IEndpointRouteBuilder MapSagas(this IEndpointRouteBuilder routes)
    {
        var sagas = routes.MapGroup("/v1/sagas").WithTags("Sagas");
        sagas.MapGet("", routes.Handler<SagaEndpoints>(e => e.ListAsync));
        sagas.MapPost("/{sagaId}", routes.Handler<SagaEndpoints>(e => e.StartAsync));
        sagas.MapGet("/{sagaId}", routes.Handler<SagaEndpoints>(e => e.GetAsync));
        sagas.MapGet("/{sagaId}/subscribe", routes.Handler<SubscribeEndpoints>(e => e.SubscribeToSagaAsync));
        sagas.MapPost("/{sagaId}/retry", routes.Handler<SagaEndpoints>(e => e.RetryAsync));
        sagas.MapPost("/{sagaId}/resolve", routes.Handler<SagaEndpoints>(e => e.ResolveAsync));
        return routes;
    }

    /// <summary>
    /// A plain delegate on a handler that is made at the first request: the store it needs is open by then, and the request's own
    /// service scope, an allocation, is never made.
    /// </summary>
    internal static RequestDelegate Handler<T>(this IEndpointRouteBuilder routes, Func<T, RequestDelegate> method)
        where T : notnull
    {
        RequestDelegate? handle = null;
        return context => (handle ??= method(routes.ServiceProvider.GetRequiredService<T>()))(context);
    }
}
