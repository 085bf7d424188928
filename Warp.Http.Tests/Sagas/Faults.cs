using System.Text;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Sagas;

/// <summary>What stands between sagas and entities in a test: appends that fail for a moment, and a process that ends amid them.</summary>
/// <remarks>A process that has ended gets no answer any more: its tasks wait for ever, as nothing of it runs.</remarks>
internal sealed class Faults(Func<AppendCommand, ValueTask<AppendOutcome>> append)
{
    private readonly Lock _randomness = new();
    private int _left = int.MaxValue;
    private bool _isLastStored;
    private Random? _random;
    private int _sent;
    private int _failed;
    private int _inFlight;
    private byte[]? _refused;
    private byte[]? _lost;

    /// <summary>Appends so far.</summary>
    public int Sent => Volatile.Read(ref _sent);

    /// <summary>Appends that were failed.</summary>
    public int Failed => Volatile.Read(ref _failed);

    public bool HasCrashed => Volatile.Read(ref _left) < 0;

    /// <summary>Ends when nothing that was sent is under way any more.</summary>
    public Task QuietAsync() => Eventually.BecomesTrueAsync("what was sent is stored or refused", () => Volatile.Read(ref _inFlight) == 0, TimeSpan.FromSeconds(60));

    /// <summary>The entity's mailbox is full for good.</summary>
    public void RefuseEntity(string entity) => _refused = Encoding.UTF8.GetBytes(entity);

    /// <summary>Appends of this type are neither stored nor answered; the process goes on beside them.</summary>
    public void LoseType(string type) => _lost = Encoding.UTF8.GetBytes(type);

    /// <summary>The process ends at its append of this number, from 0.</summary>
    /// <param name="isStored">Whether that append is stored all the same.</param>
    public void CrashAt(int append, bool isStored) => (_left, _isLastStored) = (append, isStored);

    /// <summary>One append in ten fails for a moment: refused, or in doubt and stored or not.</summary>
    public void FailSome(Random random) => _random = random;

    public async ValueTask<AppendOutcome> AppendAsync(AppendCommand command)
    {
        Interlocked.Increment(ref _sent);
        var left = Interlocked.Decrement(ref _left);
        if (left < -1 || (left == -1 && !_isLastStored) || IsLost(command)) await new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously).Task;
        if (_refused is not null && command.Entity.SequenceEqual(_refused)) return new AppendOutcome(AppendStatus.MailboxFull);
        if (Draw() is { } failure)
        {
            Interlocked.Increment(ref _failed);
            if (failure.IsStored) await SendAsync(command);
            return new AppendOutcome(failure.Status);
        }

        var outcome = await SendAsync(command);
        if (left == -1) await new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously).Task;
        return outcome;
    }

    private bool IsLost(AppendCommand command)
    {
        var first = command.Body;
        return _lost is not null && EventRecord.Read(ref first).Type.SequenceEqual(_lost);
    }

    private async ValueTask<AppendOutcome> SendAsync(AppendCommand command)
    {
        Interlocked.Increment(ref _inFlight);
        var outcome = await append(command);
        Interlocked.Decrement(ref _inFlight);
        return outcome;
    }

    private (AppendStatus Status, bool IsStored)? Draw()
    {
        if (_random is null) return null;
        lock (_randomness)
        {
            if (_random.Next(10) > 0) return null;
            return _random.Next(5) switch
            {
                0 => (AppendStatus.MailboxFull, false),
                1 => (AppendStatus.Overloaded, false),
                2 => (AppendStatus.StorageFull, false),
                3 => (AppendStatus.InDoubt, false),
                _ => (AppendStatus.InDoubt, true),
            };
        }
    }
}
