namespace Warp.Http.Endpoints;

/// <summary>One loop waits for another to have done something. While it does not wait, waking it costs a fence.</summary>
/// <remarks>
/// Prevented interleaving: the waiter finds nothing, the other does something and finds no waiter, the waiter begins to wait. So the waiter
/// raises the flag first and looks again afterwards; the other does first and looks at the flag afterwards.
/// </remarks>
internal sealed class WakeUp : IDisposable
{
    private readonly SemaphoreSlim _semaphore = new(0, 1);
    private int _waits; // 1 while the waiter does; whoever takes it back to 0 releases, or has nothing to wait for

    /// <summary>The waiter: must be followed by another look, and then by <see cref="WaitAsync"/> or <see cref="CallOffAsync"/>.</summary>
    public void Announce() => Interlocked.Exchange(ref _waits, 1);

    public Task WaitAsync() => _semaphore.WaitAsync();

    /// <summary>The other look found something: takes the wake-up that may be on its way.</summary>
    public Task CallOffAsync() => Interlocked.Exchange(ref _waits, 0) == 1 ? Task.CompletedTask : WaitAsync();

    /// <summary>The other loop, after it has done something.</summary>
    public void Wake()
    {
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _waits) == 1 && Interlocked.Exchange(ref _waits, 0) == 1) _semaphore.Release();
    }

    public void Dispose() => _semaphore.Dispose();
}
