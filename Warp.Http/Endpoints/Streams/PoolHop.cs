using System.Runtime.CompilerServices;

namespace Warp.Http.Endpoints;

/// <summary>
/// Awaited, goes on behind everything that waits for the thread pool already. <see cref="Task.Yield"/> goes on at once where it is on a pool thread:
/// of a group commit, whose completions are many pool items, the first one's continuation would then find the others not done.
/// </summary>
internal readonly struct PoolHop : ICriticalNotifyCompletion
{
    public bool IsCompleted => false;

    public PoolHop GetAwaiter() => this;

    public void GetResult()
    {
    }

    public void OnCompleted(Action continuation) => ThreadPool.QueueUserWorkItem(static action => action(), continuation, preferLocal: false);

    public void UnsafeOnCompleted(Action continuation) => ThreadPool.UnsafeQueueUserWorkItem(static action => action(), continuation, preferLocal: false);
}
