using System.Globalization;
using System.Reflection;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary><c>GET /v1/info</c>: what this service is, and every maximum it holds.</summary>
internal sealed class InfoEndpoint(Store store, Limits limits)
{
    public static string Version { get; } = typeof(InfoEndpoint).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    public Task HandleAsync(HttpContext context)
    {
        var query = new QueryParameters(context.Request);
        if (query.Problem is { } problem) return ProblemWriter.WriteAsync(context, problem);
        using var json = JsonBuffer.Rent();
        json.Raw("{\"name\":\"Warp.Http\",\"version\":"u8);
        json.Text(Version);
        json.Raw(",\"storeId\":"u8);
        json.Text(store.StoreId.ToString("x16", CultureInfo.InvariantCulture));
        json.Raw(",\"shards\":"u8);
        json.Number(store.Shards);
        json.Raw(",\"durability\":"u8);
        json.Text(store.Durability);
        json.Raw(",\"sqlite\":"u8);
        json.Text(store.SqliteVersion);
        json.Raw(",\"limits\":"u8);
        WriteLimits(json);
        json.Raw((byte)'}');
        JsonReply.Write(context.Response, json);
        return Task.CompletedTask;
    }

    /// <summary>In the order of the class, so that a new limit shows up without being listed here.</summary>
    private void WriteLimits(JsonBuffer json)
    {
        var separator = (byte)'{';
        foreach (var property in typeof(Limits).GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            json.Raw(separator);
            json.Text(char.ToLowerInvariant(property.Name[0]) + property.Name[1..]);
            json.Raw((byte)':');
            json.Number(Convert.ToInt64(property.GetValue(limits), CultureInfo.InvariantCulture));
            separator = (byte)',';
        }

        json.Raw((byte)'}');
    }
}
