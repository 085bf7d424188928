using Warp.Http.Events;
using Warp.Http.Projections;
using Warp.Http.Sagas;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary><c>/health/live</c> (the process answers) and <c>/health/ready</c> (it takes appends and reads).</summary>
internal sealed class HealthEndpoints(Store store, Projector projector, SagaService sagas)
{
    public static Task LiveAsync(HttpContext context)
    {
        using var json = JsonBuffer.Rent();
        json.Raw("{\"status\":\"ok\"}"u8);
        Write(context, json);
        return Task.CompletedTask;
    }

    public Task ReadyAsync(HttpContext context)
    {
        List<string> parts = [.. store.Troubles, .. projector.Troubles];
        if (sagas.Trouble is { } stuck) parts.Add(stuck);
        if (!store.IsServing)
        {
            return ProblemWriter.WriteAsync(context, new Problem(503, "shard-unavailable", "The service is not ready.", "No shard takes appends and reads.")
            {
                Retryable = true,
                RetryAfterSeconds = 5,
                Extras = [("parts", parts)],
            });
        }

        using var json = JsonBuffer.Rent();
        json.Raw(parts.Count == 0 ? "{\"status\":\"ok\",\"parts\":["u8 : "{\"status\":\"degraded\",\"parts\":["u8);
        for (var i = 0; i < parts.Count; i++)
        {
            if (i > 0) json.Raw((byte)',');
            json.Text(parts[i]);
        }

        json.Raw("]}"u8);
        Write(context, json);
        return Task.CompletedTask;
    }

    private static void Write(HttpContext context, JsonBuffer json)
    {
        context.Response.Headers.CacheControl = "no-store";
        JsonReply.Write(context.Response, json);
    }
}
