using Warp.Http.Aggregates;
using Warp.Http.Endpoints;
using Warp.Http.Entities;
using Warp.Http.Erasure;
using Warp.Http.Events;
using Warp.Http.Projections;
using Warp.Http.Sagas;
using Warp.Http.Storage;

if (CommandLine.Answer(args) is { } exitCode) return exitCode;

try
{
    Assemblies.Load();
    var builder = WebApplication.CreateSlimBuilder([.. args.Where(a => a is not "--health")]);
    CommandLine.AddLogDefaults(builder.Configuration);
    AppUrls.Apply(builder.Configuration);
    DurationSettings.Apply(builder.Configuration);
    if (args.Contains("--health", StringComparer.Ordinal)) return await HealthProbe.RunAsync(builder.Configuration);

    var warning = AuthMode.Check(builder.Configuration);
    builder.Logging.AddSimpleConsole(console =>
    {
        console.SingleLine = true;
        console.UseUtcTimestamp = true;
        console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
    });
    builder.ConfigureServer();

    // The store and what stands on it, lowest folder first.
    builder.Services.AddOptions<StoreOptions>().Bind(builder.Configuration.GetSection(StoreOptions.Section)).ValidateDataAnnotations().ValidateOnStart();
    builder.Services.AddOptions<EntityOptions>().Bind(builder.Configuration.GetSection(EntityOptions.Section)).ValidateDataAnnotations().ValidateOnStart();
    builder.Services.AddSingleton<Store>();
    builder.Services.AddSingleton(provider => AggregateCatalog.Open(
        provider.GetRequiredService<Store>().DirectoryPath, provider.GetRequiredService<Limits>(), provider.GetRequiredService<TimeProvider>()));
    builder.Services.AddSingleton<EntityRegistry>();
    builder.Services.AddSingleton<Passivation>().AddHostedService(provider => provider.GetRequiredService<Passivation>());
    builder.Services.AddHostedService<BackgroundFolds>();
    builder.Services.AddOptions<SagaOptions>().Bind(builder.Configuration.GetSection(SagaOptions.Section)).ValidateDataAnnotations().ValidateOnStart();
    builder.Services.AddSingleton<SagaService>().AddHostedService<SagaRecovery>();
    builder.Services.AddSingleton<IErasedStore>(provider => provider.GetRequiredService<SagaService>().Erasure);
    builder.Services.AddProjections(builder.Configuration);
    builder.Services.AddSingleton<EraseService>();
    builder.Services.AddWarpEndpoints(builder.Configuration);

    var app = builder.Build();
    app.UseWarpEndpoints();
    app.AnnounceStart(warning);
    await app.RunAsync();
    return 0;
}
catch (Exception error) when (StartFailure.Explain(error) is { } message)
{
    await Console.Error.WriteLineAsync(message);
    return 1;
}

catch (OperationCanceledException)
{
    return 0; // it was told to stop before it had started
}

/// <summary>The composition root; public so that a test host can start it in-process.</summary>
public sealed partial class Program;
