using System.Buffers;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <content>The replying loop: outcomes in the order of the lines, sent as soon as no more is ready.</content>
internal sealed partial class StreamSession
{
    /// <summary>Replies that are ready are gathered up to so much; the last one is never held back.</summary>
    private const int SendAtBytes = 32 * 1024;

    private readonly JsonBuffer _replies = JsonBuffer.Rent();

    private async Task ReplyAsync()
    {
        // Never on the reading loop's thread: it would post nothing while replies are written.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var lines = _lines.Reader;
        while (await lines.WaitToReadAsync())
        {
            while (lines.TryRead(out var line))
            {
                if (line.Command is null) WriteProblem(line.Number, line.Entity, line.Problem!);
                else await ReplyAsync(line);
                if (_replies.Length >= SendAtBytes) await SendAsync();
            }

            await SendAsync();
        }
    }

    private async ValueTask ReplyAsync(StreamLine line)
    {
        var command = line.Command!;
        var isReady = line.Outcome.IsCompleted;
        if (!isReady) await SendAsync();
        var outcome = await line.Outcome;

        // The outcome completes on a pool item that completes others after it; the replies must not hold them up.
        if (!isReady) await Task.Yield();
        var problem = await AppendEndpoint.RefusalAsync(registry, command, outcome);
        if (problem is null)
        {
            WriteSuccess(line.Number, command.Entity, outcome);
        }
        else
        {
            if (ProblemMapping.IsRetryable(outcome.Status)) Remember(command.Entity, line.Number);
            WriteProblem(line.Number, command.Entity, problem);
        }

        Interlocked.Decrement(ref _inFlight[line.Shard]); // after what failed was remembered
        Interlocked.Add(ref _bytesInFlight, -command.Events.Length);
        if (Interlocked.Exchange(ref _readerWaitsForRoom, 0) == 1) _room.Release();
        command.Return();
    }

    private void WriteSuccess(long number, ReadOnlySpan<byte> entity, in AppendOutcome outcome)
    {
        WriteHead(number, entity);
        _replies.Raw(",\"firstSeq\":"u8);
        _replies.Number(outcome.FirstSeq);
        _replies.Raw(",\"lastSeq\":"u8);
        _replies.Number(outcome.LastSeq);
        _replies.Raw(outcome.Status == AppendStatus.Replayed ? ",\"replayed\":true}\n"u8 : "}\n"u8);
    }

    private void WriteProblem(long number, ReadOnlySpan<byte> entity, Problem problem)
    {
        WriteHead(number, entity);
        _replies.Raw(",\"problem\":"u8);
        ProblemWriter.WriteJson(_replies, problem, context);
        _replies.Raw("}\n"u8);
    }

    private void WriteHead(long number, ReadOnlySpan<byte> entity)
    {
        _replies.Raw("{\"line\":"u8);
        _replies.Number(number);
        if (entity.IsEmpty) return;
        _replies.Raw(",\"entity\":"u8);
        _replies.Text(entity);
    }

    /// <summary>Sends what is ready. With the client gone the loop goes on, unheard: every posted command must be awaited before it is pooled again.</summary>
    private async ValueTask SendAsync()
    {
        if (_replies.Length == 0) return;
        if (!_clientGone)
        {
            try
            {
                context.Response.BodyWriter.Write(_replies.Written);
                var flushed = await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
                _clientGone = flushed.IsCompleted || flushed.IsCanceled;
            }
            catch (Exception error) when (error is IOException or OperationCanceledException)
            {
                _clientGone = true;
            }

            // The reading loop may be waiting for bytes that nobody will send.
            if (_clientGone) _body.CancelPendingRead();
        }

        _replies.Clear();
    }
}
