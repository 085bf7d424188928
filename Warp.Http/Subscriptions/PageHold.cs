namespace Warp.Http.Subscriptions;

/// <summary>
/// What a session that reads from disk holds of it: one page, and that not for as long as its client makes it wait. A page whose session waits when the
/// tick comes is given up, and what was not sent of it is read again. Pages are small until a client has shown that it takes them.
/// </summary>
/// <remarks>
/// The session uses the page, and puts it here while it waits; whoever takes it from here has it alone, the session or the tick. To give it up at
/// once would be simpler, but quick clients make their streams wait all the time, for some microseconds, and each of those waits would be a read.
/// </remarks>
internal sealed class PageHold
{
    /// <summary>As much as a server takes ahead of its client: what a slow one is read between two waits.</summary>
    private const int BytesMin = 64 * 1024;

    /// <summary>Here a page costs little more to read and render by the byte than a larger one.</summary>
    private const int BytesMax = 256 * 1024;

    private IDisposable? _resting;

    /// <summary>What the next page may have. Session only.</summary>
    public int PageBytes { get; private set; } = BytesMin;

    /// <summary>True while the session waits and would go on with its page.</summary>
    public bool IsResting => Volatile.Read(ref _resting) is not null;

    /// <summary>Waits for the client. False if the page was given up meanwhile. Session only, which does not touch the page until this has ended.</summary>
    public async ValueTask<bool> KeepAsync(IDisposable page, ValueTask sending)
    {
        Volatile.Write(ref _resting, page);
        await sending;
        if (Interlocked.Exchange(ref _resting, null) is not null) return true;
        PageBytes = BytesMin;
        return false;
    }

    /// <summary>The page was sent. Session only.</summary>
    public void Return(IDisposable page)
    {
        page.Dispose();
        PageBytes = Math.Min(2 * PageBytes, BytesMax);
    }

    /// <summary>Any thread.</summary>
    public void GiveUp() => Interlocked.Exchange(ref _resting, null)?.Dispose();
}
