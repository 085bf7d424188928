namespace Warp.Http.Sagas;

/// <summary>A saga that somebody works on in this process: one owner, and whoever else comes for it waits for that one.</summary>
internal sealed class OpenSaga(string id)
{
    private readonly TaskCompletionSource _known = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Id { get; } = id;

    /// <summary>Set once <see cref="Known"/> has ended; null if there is no saga.</summary>
    public SagaState? Saga { get; private set; }

    /// <summary>Why it could not be begun, if that is so.</summary>
    public SagaAnswer? Refusal { get; set; }

    /// <summary>What the owner failed at; whoever waits fails alike.</summary>
    public Exception? Failure { get; set; }

    /// <summary>Ends when it is durable what the saga is, or that there is none.</summary>
    public Task Known => _known.Task;

    /// <summary>Ends when its owner lets go of it.</summary>
    public Task Done => _done.Task;

    public void BecomesKnown(SagaState? saga)
    {
        Saga = saga;
        _known.TrySetResult();
    }

    public void End()
    {
        _known.TrySetResult();
        _done.TrySetResult();
    }
}
