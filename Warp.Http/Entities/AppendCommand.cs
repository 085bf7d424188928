using System.Collections.Concurrent;
using System.Threading.Tasks.Sources;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>One append on its way: rent, fill, pass to <see cref="EntityRegistry.AppendAsync"/>, await once, read, return.</summary>
/// <remarks>
/// The request's until it is posted; then the actor's, the writer's, and from the completion on the request's again.
/// <see cref="Return"/> before the outcome was awaited would give a command away that the writer still holds.
/// Who has many of them under way may keep its own and <see cref="Reset"/> them instead.
/// </remarks>
public sealed class AppendCommand : EntityCommand, IValueTaskSource<AppendOutcome>
{
    private const int PooledMax = 4096;

    /// <summary>The command's object with its arrays and what awaits it.</summary>
    private const int OwnBytes = 512;
    private static readonly ConcurrentQueue<AppendCommand> Pool = new();

    private readonly byte[] _key = new byte[Limits.IdempotencyKeyChars];
    private byte[] _name = new byte[128];
    private int _nameLength;
    private int _keyLength;
    private ManualResetValueTaskSourceCore<AppendOutcome> _source; // continuations inline: a pool item runs 32 completions
    private AppendOutcome _outcome;

    public ReadOnlySpan<byte> Entity => _name.AsSpan(0, _nameLength);

    /// <summary>The events in stored form: add each, then seal.</summary>
    public EncodedEvents Events { get; } = new();

    public ExpectedSeq Expect { get; set; }

    /// <summary>A condition on the folded state, judged inside the actor; null = none.</summary>
    public AppendCondition? When { get; set; }

    /// <summary>
    /// The shard's epoch that the append is bound to; null = any. After a failed commit it is refused: whoever keeps several appends of one entity
    /// in flight, and wants their order kept, binds the later ones to the epoch of the first.
    /// </summary>
    public int? BoundEpoch { get; set; }

    /// <summary>The life that the append may land in; judged before everything else.</summary>
    public LifeBinding BoundLife { get; set; }

    /// <summary>On an erased entity the append begins a new life.</summary>
    public bool Recreate { get; set; }

    public override int Count => Events.Count;

    public override ReadOnlySpan<byte> Key => _key.AsSpan(0, _keyLength);

    public override ReadOnlySpan<byte> Body => Events.Bytes;

    public override uint BodyCrc => Events.Crc;

    internal bool HasIds => _keyLength > 0 || Events.HasIds;

    /// <summary>What the shard counts against its bound while the command is under way: so the bound holds for many small ones, too.</summary>
    internal int QueuedBytes => OwnBytes + Events.Length + _nameLength;

    /// <summary>
    /// Of a command that <see cref="EntityRegistry.AppendAsync"/> did not refuse at once: what it gave, for who did not keep it. To be awaited once.
    /// </summary>
    public ValueTask<AppendOutcome> Completion => new(this, _source.Version);

    public static AppendCommand Rent() => Pool.TryDequeue(out var command) ? command : new AppendCommand();

    /// <summary>Copies the name, <c>kind/id</c> as <see cref="Events.EntityName.TryCheck"/> accepts it.</summary>
    public void SetEntity(ReadOnlySpan<byte> name)
    {
        if (name.Length > _name.Length) _name = new byte[name.Length];
        name.CopyTo(_name);
        _nameLength = name.Length;
    }

    /// <summary>Copies the Idempotency-Key; empty = none.</summary>
    public void SetIdempotencyKey(ReadOnlySpan<byte> ascii)
    {
        ascii.CopyTo(_key);
        _keyLength = ascii.Length;
    }

    /// <summary>Back to the pool, after the outcome was read.</summary>
    public void Return()
    {
        Reset();
        if (Pool.Count < PooledMax) Pool.Enqueue(this);
    }

    /// <summary>Makes it ready for another append, after the outcome was read.</summary>
    public void Reset()
    {
        ResetItem();
        Events.Reset();
        Expect = default;
        When = null;
        BoundEpoch = null;
        BoundLife = default;
        Recreate = false;
        _nameLength = 0;
        _keyLength = 0;
        _outcome = default;
        _source.Reset();
    }

    public override void OnCommitted_WriterThreadOnly()
    {
        // An answer that waited for the appends before it is committed with them, and has nothing to publish.
        if (Kind == CommitKind.Append) Actor!.Committed_WriterThreadOnly(this);
    }

    public override void OnFailed_WriterThreadOnly()
    {
        if (Kind == CommitKind.Append) Actor!.Failed_WriterThreadOnly();
    }

    public override void Complete()
    {
        var actor = Actor!;
        actor.Shard.Leave(QueuedBytes);
        actor.Leave(QueuedBytes);
        var outcome = Failure switch
        {
            CommitFailure.InDoubt => new AppendOutcome(AppendStatus.InDoubt),
            CommitFailure.Refused => new AppendOutcome(AppendStatus.Unavailable),
            _ when Kind == CommitKind.Append =>
                new AppendOutcome(AppendStatus.Appended, actor.Shard.LifeOf(EntityRef!.Number), FirstSeq, FirstSeq + Count - 1),
            _ => _outcome,
        };
        if (outcome.Status == AppendStatus.Appended) Life!.WakeWaits();
        _source.SetResult(outcome);
    }

    AppendOutcome IValueTaskSource<AppendOutcome>.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<AppendOutcome>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<AppendOutcome>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);

    internal override void Judge(EntityActor actor, bool mayReadDisk) => actor.Judge(this, mayReadDisk);

    /// <summary>Ends with an answer that stores nothing.</summary>
    internal void Decide(in AppendOutcome outcome)
    {
        _outcome = outcome;
        Kind = CommitKind.Barrier;
    }
}
