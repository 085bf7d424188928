using System.IO.Pipelines;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <content>The reading loop: bytes to lines to posted commands.</content>
internal sealed partial class StreamSession
{
    private enum StopReason
    {
        None,
        Idle,
        Stopping,
    }

    private static readonly TimeSpan s_pauseMin = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan s_pauseMax = TimeSpan.FromMilliseconds(32);

    private readonly PipeReader _body = context.Request.BodyReader;

    /// <summary>The start of a line whose end has not come yet.</summary>
    private readonly JsonBuffer _carry = JsonBuffer.Rent();

    private long _lineNumber; // the reading loop's
    private long _tooLongBytes; // of a line beyond the limit, so far; 0 = the line is within it
    private long _waitingSince; // timestamp while a read is pending, else 0; read by the idle timer
    private volatile StopReason _stopReason;

    private async Task ReadAsync()
    {
        while (!_clientGone && _stopReason == StopReason.None)
        {
            Volatile.Write(ref _waitingSince, clock.GetTimestamp());
            var result = await RequestBody.ReadAsync(_body);
            Volatile.Write(ref _waitingSince, 0);
            foreach (var segment in result.Buffer) await TakeAsync(segment);
            _body.AdvanceTo(result.Buffer.End);
            if (!result.IsCompleted) continue;
            if (_carry.Length > 0 || _tooLongBytes > 0) await EndLineAsync(default);
            return;
        }
    }

    private void StopReading(StopReason reason)
    {
        _stopReason = reason;
        _body.CancelPendingRead();
    }

    private void LookForIdleness()
    {
        var since = Volatile.Read(ref _waitingSince);
        if (since != 0 && clock.GetElapsedTime(since) >= options.IdleTimeout) StopReading(StopReason.Idle);
    }

    private async ValueTask TakeAsync(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Span.IndexOf((byte)'\n') is >= 0 and var end)
        {
            await EndLineAsync(bytes[..end]);
            bytes = bytes[(end + 1)..];
        }

        Carry(bytes.Span);
    }

    /// <summary>Keeps the start of a line; of one beyond the limit only its length, until its end is found and the next line is read as usual.</summary>
    private void Carry(ReadOnlySpan<byte> bytes)
    {
        if (_tooLongBytes > 0)
        {
            _tooLongBytes += bytes.Length;
        }
        else if (_carry.Length + bytes.Length > limits.BodyBytes)
        {
            _tooLongBytes = _carry.Length + bytes.Length;
            _carry.Clear();
        }
        else
        {
            _carry.Raw(bytes);
        }
    }

    /// <param name="tail">The line's last bytes: all of it if none were kept, and then read where they are.</param>
    private async ValueTask EndLineAsync(ReadOnlyMemory<byte> tail)
    {
        _lineNumber++;
        var isWhole = _carry.Length == 0 && _tooLongBytes == 0 && tail.Length <= limits.BodyBytes;
        if (!isWhole) Carry(tail.Span);
        var line = _tooLongBytes > 0 ? TooLong() : Parse(isWhole ? tail.Span : _carry.Written);
        _carry.Clear();
        _tooLongBytes = 0;
        if (line.Command is not null) line = await PostAsync(line);
        else if (line.Problem is null) return; // An empty line.
        if (!_lines.Writer.TryWrite(line)) await _lines.Writer.WriteAsync(line);
    }

    private StreamLine TooLong() => new()
    {
        Number = _lineNumber,
        Problem = Problems.PayloadTooLarge("The line's length in bytes", "bodyBytes", limits.BodyBytes, _tooLongBytes),
    };

    private StreamLine Parse(ReadOnlySpan<byte> text)
    {
        if (text.Trim(" \t\r"u8).IsEmpty) return new StreamLine { Number = _lineNumber };
        Span<byte> name = stackalloc byte[RequestTarget.NameBytesMax(limits)];
        var command = AppendCommand.Rent();
        var problem = EventParser.ParseLine(text, limits, command.Events, name, out var length, out var expectation);
        name = name[..length];
        if (problem is null && EntityName.IsReserved(name)) problem = Problems.ReservedKind(name[..name.IndexOf((byte)'/')]);
        problem ??= expectations.Apply(expectation, command) ?? FailedBefore(name);
        if (problem is null)
        {
            command.SetEntity(name);
            return new StreamLine { Number = _lineNumber, Command = command };
        }

        command.Return();
        return new StreamLine { Number = _lineNumber, Problem = problem, Entity = length > 0 ? name.ToArray() : null };
    }

    private Problem? FailedBefore(ReadOnlySpan<byte> name)
    {
        if (_failed.IsEmpty || !_failed.TryGetValue(System.Text.Encoding.UTF8.GetString(name), out var line)) return null;
        return Problems.ShardUnavailable($"Line {line} of this entity failed before; storing this one would break their order. Send both again.");
    }

    /// <summary>Posts the line's command. A full mailbox or shard is waited for, here, so that no later line overtakes this one.</summary>
    private async ValueTask<StreamLine> PostAsync(StreamLine line)
    {
        var command = line.Command!;
        var shard = BindToEpoch(command);
        await WaitForRoomAsync(command.Events.Length);
        var pause = s_pauseMin;
        while (true)
        {
            var posted = registry.AppendAsync(command);
            if (!posted.IsCompletedSuccessfully) return new StreamLine { Number = line.Number, Command = command, Shard = shard, Outcome = posted };

            // Completed at once: refused before it was queued.
            var outcome = await posted;
            var isPressure = outcome.Status is AppendStatus.MailboxFull or AppendStatus.Overloaded;
            if (!isPressure || _clientGone || _stopReason == StopReason.Stopping)
            {
                if (ProblemMapping.IsRetryable(outcome.Status)) Remember(command.Entity, line.Number);
                return new StreamLine { Number = line.Number, Command = command, Shard = shard, Outcome = new ValueTask<AppendOutcome>(outcome) };
            }

            await Task.Delay(pause, clock);
            if (pause < s_pauseMax) pause *= 2;
        }
    }

    /// <summary>Waits until the bytes in flight are below their bound; a single large line may pass it.</summary>
    private async ValueTask WaitForRoomAsync(int bytes)
    {
        var inFlight = Interlocked.Add(ref _bytesInFlight, bytes);
        while (inFlight > options.BytesInFlight && inFlight > bytes)
        {
            Volatile.Write(ref _readerWaitsForRoom, 1);

            // Look again after raising the flag: the last line in flight may have gone between, and nobody else would wake us.
            inFlight = Interlocked.Read(ref _bytesInFlight);
            if (inFlight <= options.BytesInFlight || inFlight <= bytes)
            {
                if (Interlocked.Exchange(ref _readerWaitsForRoom, 0) == 0) await _room.WaitAsync();
                return;
            }

            await _room.WaitAsync();
            inFlight = Interlocked.Read(ref _bytesInFlight);
        }
    }
}
