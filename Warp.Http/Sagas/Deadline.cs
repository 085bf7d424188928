namespace Warp.Http.Sagas;

/// <summary>Until when something is tried again; nothing is made before it is needed, which is seldom.</summary>
/// <param name="left">From now on; <see cref="Timeout.InfiniteTimeSpan"/> = until the service stops.</param>
internal sealed class Deadline(TimeSpan left, TimeProvider time, CancellationToken stopping) : IDisposable
{
    private readonly long _began = time.GetTimestamp();
    private CancellationTokenSource? _timeout;
    private CancellationTokenSource? _either;

    public bool HasPassed => left != Timeout.InfiniteTimeSpan && time.GetElapsedTime(_began) >= left;

    public bool IsStopping => stopping.IsCancellationRequested;

    /// <summary>Cancelled when the time is over, or the service stops.</summary>
    public CancellationToken Token
    {
        get
        {
            if (left == Timeout.InfiniteTimeSpan) return stopping;
            if (_either is not null) return _either.Token;
            var rest = left - time.GetElapsedTime(_began);
            _timeout = new CancellationTokenSource(rest > TimeSpan.Zero ? rest : TimeSpan.Zero, time);
            _either = CancellationTokenSource.CreateLinkedTokenSource(stopping, _timeout.Token);
            return _either.Token;
        }
    }

    public void Dispose()
    {
        _either?.Dispose();
        _timeout?.Dispose();
    }
}
