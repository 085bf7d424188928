using System.Collections.Concurrent;
using Warp.Http.Storage;

namespace Warp.Http.Projections;

/// <summary>The one thread that all projections of a service work on, at low priority: however many there are, requests keep the pool.</summary>
/// <remarks>
/// A scheduler, so that loops are written as any other task and come back to it after each await. Disks are read by readers' threads; what blocks here
/// is the embedded store's commit.
/// </remarks>
internal sealed class ProjectionThread : TaskScheduler, IDisposable
{
    private readonly BlockingCollection<Task> _due = [];
    private readonly Thread _thread;

    public ProjectionThread()
    {
        _thread = new Thread(Work) { Name = "warp-projections", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Runs a task here from its first line on.</summary>
    public Task Run(Func<Task> task) => Task.Factory.StartNew(task, CancellationToken.None, TaskCreationOptions.DenyChildAttach, this).Unwrap();

    /// <summary>When nothing runs on it any more.</summary>
    public void Dispose()
    {
        _due.CompleteAdding();
        _thread.Join();
        _due.Dispose();
    }

    protected override void QueueTask(Task task) => _due.Add(task);

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => Thread.CurrentThread == _thread && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks() => _due.ToArray();

    private void Work()
    {
        ThreadPriorities.SetLow();
        foreach (var task in _due.GetConsumingEnumerable()) TryExecuteTask(task);
    }
}
