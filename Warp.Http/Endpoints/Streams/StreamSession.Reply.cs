using System.Buffers;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <content>The replying loop: outcomes in the order of the lines, sent as soon as no more is ready.</content>
internal sealed partial class StreamSession
{
    /// <summary>Replies that are ready are gathered up to so much; the last one is never held back.</summary>
    private const int SendAtBytes = 32 * 1024;

    private readonly JsonBuffer _replies = JsonBuffer.Rent();

    /// <summary>However it ends, no line is left: the reading loop may wait for room, and commands that others still hold can't be given back.</summary>
    private async Task ReplyAsync()
    {
        // Never on the reading loop's thread: it would post nothing while replies are written.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            while (await HasLineAsync())
            {
                if (_lines.Oldest.Problem is not null)
                {
                    ReplyRefused();
                }
                else
                {
                    var completion = _lines.Oldest.Command!.Completion;
                    var isReady = completion.IsCompleted;
                    if (!isReady) await SendAsync();
                    var outcome = await completion;

                    // The outcome completes on a pool item that completes others after it: they must not wait for the replies, and it is worth
                    // waiting for them, for each message to the client costs more than many replies.
                    if (!isReady) await default(PoolHop);
                    Reply(outcome);
                }

                if (_replies.Length >= SendAtBytes) await SendAsync();
            }
        }
        catch
        {
            // Thrown on when nothing is under way any more: it is logged, and the connection cut, for half an answer must not look like a whole one.
            _clientGone = true;
            await DrainAsync();
            throw;
        }
    }

    /// <summary>Awaits and removes the lines that are left and those that still come. Nobody hears of them, but a failure is remembered as ever.</summary>
    private async Task DrainAsync()
    {
        try
        {
            EndPendingRead();
        }
        finally
        {
            while (await HasLineAsync())
            {
                if (_lines.Oldest.Problem is null) Settle(await _lines.Oldest.Command!.Completion);
                _lines.Remove();
            }
        }
    }

    private void ReplyRefused()
    {
        try
        {
            WriteProblem(_lines.Oldest.Number, _lines.Oldest.Entity, _lines.Oldest.Problem!);
        }
        finally
        {
            _lines.Remove();
        }
    }

    private void Reply(in AppendOutcome outcome)
    {
        try
        {
            if (outcome.Status == AppendStatus.Appended) WriteSuccess(outcome);
            else WriteOutcome(outcome);
        }
        finally
        {
            // Whatever was thrown: the outcome was awaited, which may be done but once.
            Settle(outcome);
            _lines.Remove();
        }
    }

    /// <summary>Waits for a line, with nothing ready held back. False if none comes any more.</summary>
    private ValueTask<bool> HasLineAsync() => _lines.HasLine ? new ValueTask<bool>(true) : WaitForLineAsync();

    private async ValueTask<bool> WaitForLineAsync()
    {
        await SendAsync();
        while (!_lines.HasLine)
        {
            _lines.Added.Announce();

            // In this order: no line, after no more are read, is none for ever.
            var isLast = _isRead;
            if (!_lines.HasLine && !isLast) await _lines.Added.WaitAsync();
            else await _lines.Added.CallOffAsync();
            if (isLast && !_lines.HasLine) return false;
        }

        return true;
    }

    private void WriteOutcome(in AppendOutcome outcome)
    {
        var command = _lines.Oldest.Command!;
        if (AppendEndpoint.Refusal(registry, command, outcome) is { } problem) WriteProblem(_lines.Oldest.Number, command.Entity, problem);
        else WriteSuccess(outcome);
    }

    /// <summary>The oldest line is in flight no more; a failure was remembered before that is seen.</summary>
    private void Settle(in AppendOutcome outcome)
    {
        ref var line = ref _lines.Oldest;
        if (ProblemMapping.IsRetryable(outcome.Status)) Remember(line.Command!.Entity, line.Number);
        Volatile.Write(ref _bytesDone, _bytesDone + line.Command!.Events.Length);
        Volatile.Write(ref _done[line.Shard], _done[line.Shard] + 1);
    }

    private void WriteSuccess(in AppendOutcome outcome)
    {
        ref var line = ref _lines.Oldest;
        WriteHead(line.Number, line.Command!.Entity);
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

    /// <summary>Sends what is ready. With the client gone the loop goes on, unheard: every posted command must be awaited before it is used again.</summary>
    private async ValueTask SendAsync()
    {
        _lines.Removed.Wake();
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
            if (_clientGone) EndPendingRead();
        }

        _replies.Clear();
    }
}
