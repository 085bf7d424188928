using System.Collections.Concurrent;
using System.Text;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>
/// One streaming append. Two loops share it: one reads lines and posts them, the other awaits their outcomes in order and replies.
/// Between them stands a bounded queue, so that pressure from the disk or a client that doesn't read stops the reading of the socket.
/// </summary>
internal sealed partial class StreamSession(
    HttpContext context, EntityRegistry registry, Expectations expectations, Limits limits, StreamOptions options, TimeProvider clock) : IDisposable
{
    /// <summary>
    /// How long a client has, when the service stops, to take its last replies and to end the request. Kestrel would wait for the rest of the body
    /// for 5 s, longer than the host waits for Kestrel.
    /// </summary>
    private static readonly TimeSpan s_stopGrace = TimeSpan.FromSeconds(2);

    private readonly LineQueue _lines = new(options.LinesInFlight);

    /// <summary>
    /// Entities of which a line failed in a way that a repetition may cure, with that line's number: their later lines must fail, too, or
    /// the order would be broken. Both loops add, the reading one asks.
    /// </summary>
    private readonly ConcurrentDictionary<string, long> _failed = new(StringComparer.Ordinal);
    private volatile bool _anyFailed; // set after the entity was added: the dictionary's own answer would take all its locks
    private int _failedCount; // both loops': how many were added, one too many at most
    private volatile bool _isFull; // an entity failed that there was no room for: no line is posted any more

    /// <summary>A shard's lines that were posted (the reading loop's) and answered (the replying loop's), and the epoch they are bound to (the reading loop's).</summary>
    private readonly long[] _posted = new long[Life.ShardsMax];
    private readonly long[] _done = new long[Life.ShardsMax];
    private readonly int[] _epochs = new int[Life.ShardsMax];

    private long _bytesPosted; // the reading loop's
    private long _bytesDone; // the replying loop's, read by the other
    private long _bytesDoneSeen; // the reading loop's: it looks at the other only when this will not do
    private volatile bool _isRead; // no line comes any more
    private bool _isWhole; // the reading loop's: it came to the body's end
    private volatile bool _clientGone; // set by the replying loop: nobody hears of the replies

    /// <summary>Runs until the body ends, the client leaves or the service stops, and every posted line has its outcome.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await using var cut = clock.CreateTimer(static c => ((HttpContext)c!).Abort(), context, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        using var onStopping = stopping.Register(() =>
        {
            cut.Change(s_stopGrace, Timeout.InfiniteTimeSpan);
            StopReading(StopReason.Stopping);
        });
        await using var idle = clock.CreateTimer(static s => ((StreamSession)s!).LookForIdleness(), this, options.IdleTimeout / 4, options.IdleTimeout / 4);
        var replying = ReplyAsync();
        Exception? broken = null;
        try
        {
            await ReadAsync();
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            // Malformed framing, or the client is gone; what was posted before is still answered, or at least awaited.
            broken = error;
        }
        finally
        {
            _isRead = true;
            _lines.Added.Wake();
            await replying; // whatever ended the reading: what was posted is another's until its outcome was awaited
        }

        await EndAsync(broken);
        if (_stopReason == StopReason.Stopping && broken is null && !_clientGone) await LetGoAsync();
    }

    public void Dispose()
    {
        _lines.Dispose();
        _carry.Dispose();
        _replies.Dispose();
    }

    /// <summary>
    /// A failed commit is known here only with its outcome. A line that was posted meanwhile, under the epoch that comes after, could be stored
    /// though an earlier one was not: so all lines in flight are bound to one epoch, renewed when none is left.
    /// </summary>
    private int BindToEpoch(AppendCommand command)
    {
        var (shard, epoch) = registry.EpochOf(command.Entity);
        if (epoch != _epochs[shard] && Volatile.Read(ref _done[shard]) == _posted[shard]) _epochs[shard] = epoch;
        command.BoundEpoch = _epochs[shard];
        return shard;
    }

    /// <summary>Both loops, before the line is seen to be in flight no more.</summary>
    private void Remember(ReadOnlySpan<byte> entity, long line)
    {
        var name = Encoding.UTF8.GetString(entity);
        if (Volatile.Read(ref _failedCount) < limits.StreamFailedEntities)
        {
            if (_failed.TryAdd(name, line)) Interlocked.Increment(ref _failedCount);
        }
        else if (!_failed.ContainsKey(name))
        {
            _isFull = true;
            EndPendingRead();
        }

        _anyFailed = true;
    }

    private Problem? FailedBefore(ReadOnlySpan<byte> name)
    {
        if (!_anyFailed) return null;
        if (_failed.TryGetValue(Encoding.UTF8.GetString(name), out var line))
            return Problems.ShardUnavailable($"Line {line} of this entity failed before; storing this one would break their order. Send both again.");
        return _isFull ? Problems.TooManyFailed(limits.StreamFailedEntities) : null;
    }

    /// <summary>Says how the stream ended where that is not the end of the body: as the whole answer if there is none yet, else as a last line.</summary>
    private async Task EndAsync(Exception? broken)
    {
        if (_clientGone || context.RequestAborted.IsCancellationRequested) return;
        var problem = broken switch
        {
            BadHttpRequestException { StatusCode: StatusCodes.Status408RequestTimeout } => Problems.RequestTimeout("The body came too slowly."),
            not null => Problems.InvalidRequest("body", "The body's framing is broken; what came before it is answered."),
            null when _isWhole => null,
            null when _isFull => Problems.TooManyFailed(limits.StreamFailedEntities),
            null => _stopReason switch
            {
                StopReason.Idle => Problems.RequestTimeout($"Nothing came for {options.IdleTimeout.TotalSeconds}s (Warp:Stream:IdleTimeout)."),
                StopReason.Stopping => Problems.ShuttingDown(),
                _ => null,
            },
        };
        if (problem is null) return;
        if (!context.Response.HasStarted)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        WriteProblem(_lineNumber + 1, null, problem);
        await SendAsync();
    }

    /// <summary>The service stops: the answer is ended, and what the client still sends is let go by, until it ends or is cut.</summary>
    private async Task LetGoAsync()
    {
        try
        {
            await context.Response.CompleteAsync();
            while (true)
            {
                var read = await RequestBody.ReadAsync(_body);
                _body.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted) return;
            }
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            // Cut by the timer, gone by itself, or broken: nobody is left to be told.
        }
    }
}
