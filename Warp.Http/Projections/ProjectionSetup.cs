using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Projections;

/// <summary>What projections need of the container.</summary>
internal static class ProjectionSetup
{
    /// <summary>The embedded store's file, in the directory of the definitions.</summary>
    private const string FileName = "projections.db";

    public static IServiceCollection AddProjections(this IServiceCollection services, IConfiguration configuration)
    {
        var section = configuration.GetSection(ProjectionOptions.Section);
        services.AddOptions<ProjectionOptions>().Bind(section).ValidateDataAnnotations().ValidateOnStart();
        if (section.Get<ProjectionOptions>() is { Rqlite: not null } options) services.AddRqlite(options);
        else services.AddEmbedded();
        services.AddSingleton<QueryService>();
        services.AddSingleton<Projector>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<Projector>());
        services.AddSingleton<IAggregateUser>(provider => provider.GetRequiredService<Projector>());
        return services.AddSingleton<IErasedStore>(provider => provider.GetRequiredService<Projector>());
    }

    private static void AddEmbedded(this IServiceCollection services)
    {
        services.AddSingleton(provider =>
            new SqliteProjectionStore(Path.Combine(Projector.DirectoryIn(provider.GetRequiredService<Store>().DirectoryPath), FileName))
            {
                QueryValueBytes = provider.GetRequiredService<IOptions<Limits>>().Value.QueryBytes,
            });
        services.AddSingleton<IProjectionStore>(provider => provider.GetRequiredService<SqliteProjectionStore>());
        services.AddSingleton<IQueryStore>(provider => provider.GetRequiredService<SqliteProjectionStore>());
    }
}
