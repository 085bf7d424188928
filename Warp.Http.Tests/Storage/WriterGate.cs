using System.Collections.Concurrent;
using Warp.Http.Storage;

namespace Warp.Http.Tests.Storage;

/// <summary>Stands in the writer's way: holds its rows back, or refuses them as a disk would.</summary>
internal sealed class WriterGate : IDisposable
{
    private readonly ManualResetEventSlim _open = new(initialState: true);
    private readonly ConcurrentDictionary<StoreStep, int> _refusals = new();
    private int _waiting;

    /// <summary>True while the writer stands before the gate.</summary>
    public bool IsHolding => Volatile.Read(ref _waiting) > 0;

    public void Close() => _open.Reset();

    public void Open() => _open.Set();

    /// <summary>The next <paramref name="times"/> times that this step is taken it is refused; 0 = no more.</summary>
    public void Refuse(StoreStep step, int times = 1) => _refusals[step] = times;

    public void AtStep(StoreStep step)
    {
        if (step == StoreStep.BeforeRow)
        {
            Interlocked.Increment(ref _waiting);
            _open.Wait();
            Interlocked.Decrement(ref _waiting);
        }

        if (_refusals.AddOrUpdate(step, -1, (_, left) => left < 0 ? left : left - 1) >= 0)
            throw new StorageException($"The test refuses {step}.");
    }

    public void Dispose()
    {
        _open.Set();
        _open.Dispose();
    }
}
