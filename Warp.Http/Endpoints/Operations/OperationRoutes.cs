namespace Warp.Http.Endpoints;

/// <summary>The routes of operations: information, health, metrics and documentation.</summary>
internal static class OperationRoutes
{
    private const string Index = """
        Warp.Http, an entity-native event store

        /live             events as they come, in the browser
        /swagger          try every call in the browser
        /openapi.yaml     the whole interface
        /v1/info          version, store and limits
        /v1/admin/verify  POST checks all that is stored, GET tells how far it is or what it found
        /health/live      the process answers
        /health/ready     appends and reads are served
        /metrics          for Prometheus

        """;

    public static IEndpointRouteBuilder MapOperations(this IEndpointRouteBuilder routes)
    {
        var operations = routes.MapGroup("").WithTags("Operations");
        operations.MapGet("/", context => SendTextAsync(context, "text/plain; charset=utf-8", Index));
        operations.MapGet("/live", LiveEndpoints.PageAsync);
        operations.MapGet("/live/{file}", LiveEndpoints.FileAsync);
        operations.MapGet("/v1/info", routes.Handler<InfoEndpoint>(e => e.HandleAsync));
        operations.MapGet("/health/live", HealthEndpoints.LiveAsync);
        operations.MapGet("/health/ready", routes.Handler<HealthEndpoints>(e => e.ReadyAsync));
        operations.MapPost("/v1/admin/verify", routes.Handler<VerifyEndpoints>(e => e.RunAsync));
        operations.MapGet("/v1/admin/verify", routes.Handler<VerifyEndpoints>(e => e.GetAsync));
        operations.MapDelete("/v1/admin/verify", routes.Handler<VerifyEndpoints>(e => e.StopAsync));
        operations.MapGet("/openapi.yaml", SendOpenApiAsync);
        routes.MapPrometheusScrapingEndpoint("/metrics").WithMetadata(new HttpMethodMetadata([HttpMethods.Get])).WithTags("Operations");
        return routes;
    }

    private static Task SendOpenApiAsync(HttpContext context)
    {
        context.Response.ContentType = "application/yaml";
        return context.Response.SendFileAsync(Path.Combine(AppContext.BaseDirectory, "openapi.yaml"), context.RequestAborted);
    }

    private static Task SendTextAsync(HttpContext context, string contentType, string text)
    {
        context.Response.ContentType = contentType;
        return context.Response.WriteAsync(text, context.RequestAborted);
    }
}
