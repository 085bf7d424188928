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
        while (await HasLineAsync())
        {
            if (_lines.Oldest.Problem is { } refused)
            {
                WriteProblem(_lines.Oldest.Number, _lines.Oldest.Entity, refused);
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
                if (outcome.Status == AppendStatus.Appended) WriteSuccess(outcome);
                else await WriteOutcomeAsync(outcome);
                Done();
            }

            _lines.Remove();
            if (_replies.Length >= SendAtBytes) await SendAsync();
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

    private async ValueTask WriteOutcomeAsync(AppendOutcome outcome)
    {
        var number = _lines.Oldest.Number;
        var command = _lines.Oldest.Command!;
        var problem = await AppendEndpoint.RefusalAsync(registry, command, outcome);
        if (problem is null)
        {
            WriteSuccess(outcome);
            return;
        }

        if (ProblemMapping.IsRetryable(outcome.Status)) Remember(command.Entity, number);
        WriteProblem(number, command.Entity, problem);
    }

    /// <summary>The oldest line is in flight no more; after what failed was remembered.</summary>
    private void Done()
    {
        ref var line = ref _lines.Oldest;
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
