using System.Buffers;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary><c>/v1/admin/verify</c>: all that is stored is checked; there is one verification at a time, and whoever asks joins it.</summary>
internal sealed class VerifyEndpoints(Store store)
{
    private const string Path = "/v1/admin/verify";
    private static readonly TimeSpan BetweenLines = TimeSpan.FromMilliseconds(500);

    public async Task RunAsync(HttpContext context)
    {
        var problem = new QueryParameters(context.Request).Problem;
        var mediaType = MediaTypes.Choose(context.Request, MediaTypes.Json, MediaTypes.Ndjson);
        if (mediaType is null) problem ??= Problems.NotAcceptable($"{MediaTypes.Json} or {MediaTypes.Ndjson}");
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        Task<VerifyReport> done;
        try
        {
            done = store.Verification.RunAsync();
        }
        catch (ShardUnavailableException)
        {
            await ProblemWriter.WriteAsync(context, Problems.ShuttingDown());
            return;
        }

        if (AppendOptions.Prefers(context.Request.Headers["Prefer"], "respond-async"))
        {
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            context.Response.Headers.Location = Path;
            context.Response.Headers["Preference-Applied"] = "respond-async";
            Write(context, store.Verification.Latest!);
        }
        else if (mediaType is MediaTypes.Ndjson)
        {
            await SendLinesAsync(context, done);
        }
        else
        {
            // Whoever does not stay for the report leaves it running: GET shows it.
            Write(context, await done.WaitAsync(context.RequestAborted));
        }
    }

    public Task GetAsync(HttpContext context)
    {
        var problem = new QueryParameters(context.Request).Problem;
        var latest = store.Verification.Latest;
        if (problem is null && latest is null) problem = Problems.VerificationNotFound($"Nothing was verified since the start; POST {Path} begins it.");
        if (problem is not null) return ProblemWriter.WriteAsync(context, problem);
        Write(context, latest!);
        return Task.CompletedTask;
    }

    public async Task StopAsync(HttpContext context)
    {
        var problem = new QueryParameters(context.Request).Problem;
        // One that has ended by itself is as good as stopped: the report says which.
        var stopped = problem is null ? await store.Verification.StopAsync() ?? store.Verification.Latest : null;
        if (stopped is null) await ProblemWriter.WriteAsync(context, problem ?? Problems.VerificationNotFound("Nothing was verified since the start."));
        else Write(context, stopped);
    }

    private async Task SendLinesAsync(HttpContext context, Task<VerifyReport> done)
    {
        context.Response.ContentType = MediaTypes.Ndjson;
        context.Response.Headers.CacheControl = "no-store";
        do
        {
            context.RequestAborted.ThrowIfCancellationRequested();
            if (store.Verification.Latest is { Status: VerifyStatus.Running } running) await SendLineAsync(context, running);
        }
        while (await Task.WhenAny(done, Task.Delay(BetweenLines, context.RequestAborted)) != done);

        await SendLineAsync(context, await done);
    }

    private static async Task SendLineAsync(HttpContext context, VerifyReport report)
    {
        using (var json = JsonBuffer.Rent())
        {
            VerifyJson.Write(json, report);
            json.Raw((byte)'\n');
            context.Response.BodyWriter.Write(json.Written);
        }

        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
    }

    private static void Write(HttpContext context, VerifyReport report)
    {
        context.Response.Headers.CacheControl = "no-store";
        using var json = JsonBuffer.Rent();
        VerifyJson.Write(json, report);
        JsonReply.Write(context.Response, json);
    }
}
