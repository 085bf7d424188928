using System.Buffers;
using System.Security.Cryptography;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>A long answer that is sent while it is written: memory is bounded by a page, and a slow client slows the reading.</summary>
/// <param name="json">Holds what is not sent yet; the caller sends what is left in it at the end.</param>
internal sealed class PagedReply(JsonBuffer json, HttpContext context)
{
    /// <summary>An answer shorter than this is sent in one piece, with its length.</summary>
    private const int SendAtBytes = 64 * 1024;

    public JsonBuffer Json => json;

    public CancellationToken Cancellation => context.RequestAborted;

    /// <summary>If set, takes in every byte that is sent.</summary>
    public IncrementalHash? Hash { get; init; }

    public ValueTask SendIfLongAsync() => json.Length >= SendAtBytes ? SendAsync() : ValueTask.CompletedTask;

    /// <summary>Sends what is written so far and waits while the client does not take it.</summary>
    public async ValueTask SendAsync()
    {
        Hash?.AppendData(json.Written);
        context.Response.BodyWriter.Write(json.Written);
        json.Clear();
        var flushed = await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
        if (flushed.IsCompleted || flushed.IsCanceled) throw new OperationCanceledException("The client left.", context.RequestAborted);
    }
}
