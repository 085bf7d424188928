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
    private bool _isPosting; // the reading loop's: the line is parsed, and there is no room for it yet
    private long _waitingSince; // timestamp while a read is pending, else 0; read by the idle timer
    private volatile StopReason _stopReason;

    private async Task ReadAsync()
    {
        while (!_clientGone && !_isFull && _stopReason == StopReason.None)
        {
            Volatile.Write(ref _waitingSince, clock.GetTimestamp());
            var result = await RequestBody.ReadAsync(_body);
            Volatile.Write(ref _waitingSince, 0);
            foreach (var segment in result.Buffer)
            {
                var bytes = segment;
                while (!TryTake(ref bytes)) await WaitAsync();
            }

            _body.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                await EndLastLineAsync();
                _isWhole = true;
                return;
            }

            _lines.Added.Wake();
        }
    }

    private void StopReading(StopReason reason)
    {
        _stopReason = reason;
        EndPendingRead();
    }

    private void EndPendingRead()
    {
        try
        {
            _body.CancelPendingRead();
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            // The connection is aborted: the read has ended, or will at once. Kestrel says so to whoever touches the body.
        }
    }

    private void LookForIdleness()
    {
        var since = Volatile.Read(ref _waitingSince);
        if (since != 0 && clock.GetElapsedTime(since) >= options.IdleTimeout) StopReading(StopReason.Idle);
    }

    /// <summary>Takes lines from the start of the bytes. False if something must be waited for before the rest is taken.</summary>
    private bool TryTake(ref ReadOnlyMemory<byte> bytes)
    {
        var rest = bytes.Span;
        while (rest.IndexOf((byte)'\n') is >= 0 and var end)
        {
            if (!_lines.HasRoom)
            {
                bytes = bytes[^rest.Length..];
                return false;
            }

            EndLine(rest[..end]);
            rest = rest[(end + 1)..];
            if (!_isPosting) continue;
            bytes = bytes[^rest.Length..];
            return false;
        }

        Carry(rest);
        bytes = default;
        return true;
    }

    /// <summary>The last line may lack its end.</summary>
    private async ValueTask EndLastLineAsync()
    {
        if (_carry.Length == 0 && _tooLongBytes == 0) return;
        while (!_lines.HasRoom) await WaitAsync();
        EndLine(default);
        while (_isPosting) await WaitAsync();
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
    private void EndLine(ReadOnlySpan<byte> tail)
    {
        _lineNumber++;
        var isWhole = _carry.Length == 0 && _tooLongBytes == 0 && tail.Length <= limits.BodyBytes;
        if (!isWhole) Carry(tail);
        if (_tooLongBytes > 0)
        {
            Refuse(Problems.PayloadTooLarge("The line's length in bytes", "bodyBytes", limits.BodyBytes, _tooLongBytes), default);
            _tooLongBytes = 0;
        }
        else
        {
            TakeLine(isWhole ? tail : _carry.Written);
        }

        _carry.Clear();
    }

    private void TakeLine(ReadOnlySpan<byte> text)
    {
        if (text.Trim(" \t\r"u8).IsEmpty) return; // counted, not answered
        Span<byte> name = stackalloc byte[RequestTarget.NameBytesMax(limits)];
        ref var line = ref _lines.Free;
        var command = line.Command!;
        var problem = EventParser.ParseLine(text, limits, command.Events, name, out var length, out var expectation);
        name = name[..length];
        if (problem is null && EntityName.IsReserved(name)) problem = Problems.ReservedKind(name[..name.IndexOf((byte)'/')]);
        problem ??= expectations.Apply(expectation, command);
        if (problem is not null)
        {
            Refuse(problem, name);
            return;
        }

        command.SetEntity(name);
        line.Number = _lineNumber;
        line.Shard = BindToEpoch(command);

        // Asked only now: had it been before, a line that failed between the two could be the last that held the old epoch.
        if (FailedBefore(name) is { } failed) Refuse(failed, name);
        else _isPosting = !TryPost(ref line, isLastTry: false);
    }

    private void Refuse(Problem problem, ReadOnlySpan<byte> name)
    {
        ref var line = ref _lines.Free;
        line.Command!.Reset();
        line.Number = _lineNumber;
        line.Problem = problem;
        line.Entity = name.IsEmpty ? null : name.ToArray();
        _lines.Add();
    }

    /// <summary>Posts the line's command, unless there is no room for it.</summary>
    /// <param name="isLastTry">Pressure refuses the line.</param>
    private bool TryPost(ref StreamLine line, bool isLastTry)
    {
        var command = line.Command!;
        if (!HasRoomFor(command.Events.Length)) return false;
        var bytes = command.Events.Length;
        var refused = registry.Post(command);
        if (refused == AppendStatus.Appended)
        {
            _posted[line.Shard]++;
            _bytesPosted += bytes;
            _lines.Add();
            return true;
        }

        if (!isLastTry && refused is (AppendStatus.MailboxFull or AppendStatus.Overloaded)) return false;
        if (ProblemMapping.IsRetryable(refused)) Remember(command.Entity, line.Number);
        Refuse(ProblemMapping.Of(registry.RefusalOf(refused), command.Expect)!, command.Entity.ToArray());
        return true;
    }

    /// <summary>Waits until the line in hand was posted, or, with none in hand, until there is room for one more.</summary>
    private async ValueTask WaitAsync()
    {
        _lines.Added.Wake(); // whose outcomes are waited for here
        if (!_isPosting)
        {
            await WaitForRoomAsync(bytes: 0);
            return;
        }

        var pause = s_pauseMin;
        while (true)
        {
            await WaitForRoomAsync(_lines.Free.Command!.Events.Length);
            if (TryPost(ref _lines.Free, isLastTry: _clientGone || _stopReason == StopReason.Stopping)) break;

            // A full mailbox or shard is waited for, here, so that no later line overtakes this one.
            await Task.Delay(pause, clock);
            if (pause < s_pauseMax) pause *= 2;
        }

        _isPosting = false;
    }

    private async ValueTask WaitForRoomAsync(int bytes)
    {
        while (!HasRoomFor(bytes))
        {
            _lines.Removed.Announce();
            if (HasRoomFor(bytes)) await _lines.Removed.CallOffAsync();
            else await _lines.Removed.WaitAsync();
        }
    }

    /// <summary>Whether lines and bytes in flight are below their bounds; a single large line may pass that of bytes.</summary>
    private bool HasRoomFor(int bytes)
    {
        if (!_lines.HasRoom) return false;
        var inFlight = _bytesPosted - _bytesDoneSeen;
        if (inFlight + bytes <= options.BytesInFlight) return true;
        _bytesDoneSeen = Volatile.Read(ref _bytesDone);
        inFlight = _bytesPosted - _bytesDoneSeen;
        return inFlight + bytes <= options.BytesInFlight || inFlight == 0;
    }
}
