using Polly;
using Polly.Retry;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Sagas;

/// <summary>Sends appends until they have a definite outcome: what passes by itself is tried again, ever more slowly.</summary>
internal sealed class SagaAppends
{
    /// <summary>About as long as a busy mailbox takes to drain.</summary>
    private static readonly TimeSpan DelayFirst = TimeSpan.FromMilliseconds(10);

    /// <summary>A shard that comes back is noticed within so long.</summary>
    private static readonly TimeSpan DelayMax = TimeSpan.FromSeconds(2);

    private readonly Func<AppendCommand, ValueTask<AppendOutcome>> _append;
    private readonly ResiliencePipeline<AppendOutcome> _retries;

    /// <param name="append">Where appends go; tests put faults in between.</param>
    public SagaAppends(Func<AppendCommand, ValueTask<AppendOutcome>> append, TimeProvider time)
    {
        _append = append;
        _retries = new ResiliencePipelineBuilder<AppendOutcome> { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions<AppendOutcome>
            {
                ShouldHandle = static attempt => ValueTask.FromResult(attempt.Outcome.Exception is null && IsPassing(attempt.Outcome.Result.Status)),
                MaxRetryAttempts = int.MaxValue,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = DelayFirst,
                MaxDelay = DelayMax,
            })
            .Build();
    }

    /// <summary>True where the same append may succeed later; the rest is a refusal for good.</summary>
    public static bool IsPassing(AppendStatus status) =>
        status is AppendStatus.MailboxFull or AppendStatus.Overloaded or AppendStatus.StorageFull or AppendStatus.Unavailable or AppendStatus.InDoubt;

    public static bool IsStored(AppendStatus status) => status is AppendStatus.Appended or AppendStatus.Replayed;

    /// <summary>Sends once.</summary>
    public async ValueTask<AppendOutcome> SendAsync(AppendCommand command)
    {
        var outcome = await _append(command);
        command.Return();
        return outcome;
    }

    /// <summary>Goes on after a first attempt that found passing trouble.</summary>
    /// <returns>The definite outcome; a passing one if the deadline came first.</returns>
    /// <exception cref="OperationCanceledException">The service stops.</exception>
    public async ValueTask<AppendOutcome> RetryAsync<TState>(AppendOutcome first, TState state, Func<TState, ValueTask<AppendOutcome>> send, Deadline deadline)
    {
        var call = new Call<TState>(state, send) { Last = first };
        try
        {
            return await _retries.ExecuteAsync(static (call, _) => call.SendAsync(), call, deadline.Token);
        }
        catch (OperationCanceledException) when (!deadline.IsStopping)
        {
            return call.Last;
        }
    }

    private sealed class Call<TState>(TState state, Func<TState, ValueTask<AppendOutcome>> send)
    {
        public AppendOutcome Last { get; set; }

        public async ValueTask<AppendOutcome> SendAsync() => Last = await send(state);
    }
}
