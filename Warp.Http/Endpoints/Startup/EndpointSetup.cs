using Microsoft.Extensions.Options;
using Warp.Http.Events;
using Warp.Http.Projections;
using Warp.Http.Sagas;
using Warp.Http.Subscriptions;

namespace Warp.Http.Endpoints;

/// <summary>What the endpoints need of the container, and the order in which a request goes through them.</summary>
internal static class EndpointSetup
{
    public static IServiceCollection AddWarpEndpoints(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<Limits>().Bind(configuration.GetSection(Limits.Section)).ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<StreamOptions>().Bind(configuration.GetSection(StreamOptions.Section)).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<IValidateOptions<Limits>>(new KnownKeys<Limits>(configuration.GetSection(Limits.Section)));
        services.AddSingleton<IValidateOptions<StreamOptions>>(new KnownKeys<StreamOptions>(configuration.GetSection(StreamOptions.Section)));
        services.AddSingleton<IValidateOptions<SagaOptions>>(new KnownKeys<SagaOptions>(configuration.GetSection(SagaOptions.Section)));
        services.AddOptions<SubscriptionOptions>().Bind(configuration.GetSection(SubscriptionOptions.Section)).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<IValidateOptions<SubscriptionOptions>>(new KnownKeys<SubscriptionOptions>(configuration.GetSection(SubscriptionOptions.Section)));
        services.AddSingleton<IValidateOptions<ProjectionOptions>>(new KnownKeys<ProjectionOptions>(configuration.GetSection(ProjectionOptions.Section)));
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<Limits>>().Value);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<AggregateNames>().AddSingleton<EntityLookup>().AddSingleton<StateReader>();
        services.AddSingleton<AppendEndpoint>().AddSingleton<HistoryEndpoint>().AddSingleton<StateEndpoint>().AddSingleton<ExportEndpoint>();
        services.AddSingleton<EntityEndpoints>().AddSingleton<ErasureEndpoints>().AddSingleton<StreamEndpoint>();
        services.AddSingleton<SubscriptionHub>().AddSingleton<SubscribeEndpoints>();
        services.AddSingleton<Expectations>().AddSingleton<DiffEndpoint>().AddSingleton<AggregateEndpoints>().AddSingleton<TryEndpoint>();
        services.AddSingleton<ProjectionJson>().AddSingleton<ProjectionEndpoints>().AddSingleton<QueryEndpoint>();
        services.AddSingleton<SagaEndpoints>().AddSingleton<SagaJson>();
        services.AddSingleton<InfoEndpoint>().AddSingleton<HealthEndpoints>().AddSingleton<VerifyEndpoints>();
        services.AddHostedService<VerifyAtStart>();
        return services.AddWarpMetrics().AddRouting();
    }

    public static void UseWarpEndpoints(this WebApplication app)
    {
        app.UseMiddleware<ProblemMiddleware>();
        app.UseMiddleware<TargetMiddleware>();
        app.UseWhen(
            context => context.Request.Path.StartsWithSegments("/swagger", StringComparison.Ordinal),
            swagger => swagger.UseSwaggerUI(ui =>
            {
                ui.DocumentTitle = "Warp.Http";
                ui.RoutePrefix = "swagger";
                ui.SwaggerEndpoint("/openapi.yaml", "Warp.Http v1");
                ui.EnableTryItOutByDefault();
            }));
        app.UseRouting();
        app.MapEntities();
        app.MapAggregates();
        app.MapProjections();
        app.MapSagas();
        app.MapOperations();
    }
}
