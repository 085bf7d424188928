using Microsoft.AspNetCore.Connections;
using Warp.Http.Aggregates;
using Warp.Http.Projections;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary>Outermost: whatever the rest throws or leaves without a body becomes a problem; a client that left becomes nothing.</summary>
internal sealed partial class ProblemMiddleware(RequestDelegate next, ILogger<ProblemMiddleware> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
            if (context.Response.StatusCode >= 400 && !context.Response.HasStarted && context.Response.ContentLength is null)
                await ProblemWriter.WriteAsync(context, OfStatus(context));
        }
        catch (Exception error) when (IsGone(context, error))
        {
            // The client left: there is nobody to answer, and nothing failed here.
        }
        catch (Exception error)
        {
            await AnswerAsync(context, error);
        }
    }

    private static bool IsGone(HttpContext context, Exception error) =>
        error is ConnectionResetException or ConnectionAbortedException
        || (error is OperationCanceledException or IOException && error is not BadHttpRequestException && context.RequestAborted.IsCancellationRequested);

    private async Task AnswerAsync(HttpContext context, Exception error)
    {
        var problem = OfException(error);
        // Why a shard is out of service was said when it was found; the calls that meet it say nothing new.
        if (problem.Status >= 500 && error is not ShardUnavailableException { IsTransient: false }) LogFailure(error, problem.Type, ProblemWriter.TraceIdOf(context));
        if (context.Response.HasStarted)
        {
            // Half an answer must not look like a whole one.
            context.Abort();
            return;
        }

        context.Response.Clear();
        await ProblemWriter.WriteAsync(context, problem);
    }

    private static Problem OfException(Exception error) => error switch
    {
        BadHttpRequestException { StatusCode: 408 } => Problems.RequestTimeout("The body came too slowly."),
        BadHttpRequestException bad => new Problem(bad.StatusCode, "invalid-request", "The request is not valid.", bad.Message),
        DamagedDataException => Problems.ShardUnavailable("The files that hold this data are damaged, and it is out of service; /health/ready says which. Whether a write was stored is not known."),
        ShardUnavailableException { IsTransient: false } => Problems.ShardUnavailable("What holds this data is out of service; /health/ready says why. Whether a write was stored is not known."),
        ProjectionStoreException => Problems.ProjectionStoreUnavailable(),
        ShardUnavailableException or StorageException or DefinitionStoreException => Problems.ShardUnavailable("What holds this data can't be read or written now. Whether a write was stored is not known."),
        OperationCanceledException => Problems.ShuttingDown(),
        _ => Problems.Internal(),
    };

    private static Problem OfStatus(HttpContext context) => context.Response.StatusCode switch
    {
        404 => Problems.RouteNotFound(),
        405 => Problems.MethodNotAllowed(context.Request.Method, context.Response.Headers.Allow),
        406 => Problems.NotAcceptable("application/json"),
        415 => Problems.UnsupportedMediaType("The Content-Type is not one that this path takes."),
        >= 500 => Problems.Internal(),
        var status => new Problem(status, "invalid-request", "The request is not valid.", "The request can't be answered as it was sent."),
    };

    [LoggerMessage(EventId = 3, Level = LogLevel.Error, Message = "A request failed as {ProblemType}, trace {TraceId}")]
    private partial void LogFailure(Exception error, string problemType, string traceId);
}
