namespace Warp.Http.StreamClient;

/// <summary>One connection's work; how bytes travel is its transport's.</summary>
internal abstract class Session(ClientOptions options, string run, int number) : IDisposable
{
    /// <summary>Bytes handed to the socket at once: a few hundred lines.</summary>
    protected const int SendBytes = 32 * 1024;

    private long _next; // the sender's

    public Histogram Latencies { get; } = new();

    public long Answered => Window.Answered;

    protected ClientOptions Options { get; } = options;

    protected Lines Lines { get; } = new(options, run, number);

    protected Window Window { get; } = new(options.Window);

    protected Replies Replies => field ??= new Replies(Lines, Window, Latencies);

    public void BeginMeasuring() => Replies.IsMeasuring = true;

    /// <summary>Sends until it is told to stop, then awaits the replies to all that was sent.</summary>
    public abstract Task RunAsync(CancellationToken stop);

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        if (disposing) Window.Dispose();
    }

    /// <summary>The next lines to send; empty when it was told to stop.</summary>
    protected async ValueTask<ReadOnlyMemory<byte>> NextAsync(CancellationToken stop)
    {
        try
        {
            if (stop.IsCancellationRequested) return default;
            var room = await Window.RoomAsync(stop);
            var bytes = Lines.Take(_next, room, SendBytes, out var taken);
            _next += taken;
            Window.Sending(taken);
            return bytes;
        }
        catch (OperationCanceledException)
        {
            return default;
        }
    }

    protected void ExpectAllAnswered()
    {
        if (!Window.IsEmpty) throw new InvalidDataException("The answer ended before all lines were answered.");
    }
}
