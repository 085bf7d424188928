using System.Collections.Concurrent;

namespace Warp.Http.Storage;

/// <summary>A few named threads that read runs, so that no request thread waits for a disk.</summary>
internal sealed class ReaderPool : IDisposable
{
    /// <summary>Reads that wait; more are refused, for by then each would wait for seconds.</summary>
    private const int WaitingMax = 65_536;

    private readonly BlockingCollection<Action> _work = new(WaitingMax);
    private readonly List<Thread> _threads = [];

    public ReaderPool(int threads)
    {
        for (var i = 0; i < threads; i++)
        {
            var thread = new Thread(Loop) { Name = $"warp-reader-{i}", IsBackground = true };
            _threads.Add(thread);
            thread.Start();
        }
    }

    /// <summary>Runs <paramref name="work"/>, which must not throw, on a reader's thread.</summary>
    /// <exception cref="ShardUnavailableException">Too many reads wait already, or the store is closed.</exception>
    public void Post(Action work)
    {
        bool added;
        try
        {
            added = _work.TryAdd(work);
        }
        catch (InvalidOperationException)
        {
            throw new ShardUnavailableException("The store is closed.") { IsTransient = false };
        }

        if (!added) throw new ShardUnavailableException($"{WaitingMax} reads from disk wait already.") { IsTransient = true };
    }

    /// <summary>Runs <paramref name="read"/> on a reader's thread; the continuation runs elsewhere.</summary>
    public Task<T> RunAsync<T>(Func<T> read)
    {
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() =>
        {
            try
            {
                result.SetResult(read());
            }
            catch (Exception e)
            {
                result.SetException(e);
            }
        });
        return result.Task;
    }

    public void Dispose()
    {
        _work.CompleteAdding();
        foreach (var thread in _threads) thread.Join();
        _work.Dispose();
    }

    private void Loop()
    {
        foreach (var work in _work.GetConsumingEnumerable()) work();
    }
}
