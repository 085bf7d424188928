using System.Diagnostics;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

public sealed partial class EntityActor
{
    /// <summary>The checks of an append in the contract's order: erased, replay, seq, when; then it is given its seqs.</summary>
    internal void Judge(AppendCommand append, bool mayReadDisk)
    {
        if (append.BoundEpoch is { } bound && bound != _epoch)
        {
            Answer(append, new AppendOutcome(AppendStatus.Unavailable, Detail: "An earlier append of the same stream failed; nothing was stored."));
            return;
        }

        if (!IsBoundTo(append.BoundLife))
        {
            Answer(append, new AppendOutcome(AppendStatus.Erased));
            return;
        }

        if (_erased && !append.Recreate)
        {
            Answer(append, new AppendOutcome(AppendStatus.Erased));
            return;
        }

        if (!_erased && append.HasIds && !JudgeReplay(append, mayReadDisk)) return;
        if (!IsExpected(append.Expect))
        {
            Answer(append, new AppendOutcome(AppendStatus.SeqMismatch, LifeOf(_life), 0, _erased ? 0 : _lastSeq));
            return;
        }

        if (!JudgeRules(append, mayReadDisk)) return;
        Append(append);
    }

    /// <summary>An erasure: everything after it meets an erased entity.</summary>
    internal void Judge(EraseCommand erase)
    {
        if (_erased || (_lastSeq == 0 && !erase.IsNamedElsewhere))
        {
            erase.Decide();
            Answer(erase);
            return;
        }

        erase.ErasedEvents = _lastSeq;
        Submit(erase, CommitKind.Fence, _life ?? NextLife(), _lastSeq);
        _erased = true;
        _fenced = true;
        _life = null;
        _nextLife = null;
        _lastSeq = 0;
        _ids = null;
        _working = null;
    }

    /// <summary>Nothing but the load that every command has behind it.</summary>
    internal void Judge(TouchCommand touch) => Answer(touch);

    private void Answer(AppendCommand append, in AppendOutcome outcome)
    {
        append.Decide(outcome);
        Answer(append);
    }

    private void Append(AppendCommand append)
    {
        if (_lastSeq == 0)
        {
            _life = NextLife();
            _nextLife = null;
            _ids = null;
            _erased = false;
        }

        var firstSeq = _lastSeq + 1;
        _lastSeq += append.Count;
        if (append.HasIds) IndexIds(append, firstSeq);
        Submit(append, CommitKind.Append, _life!, firstSeq);
    }

    /// <summary>The life that begins with the next append. A state that a rule was judged on belongs to it already, so there is one only.</summary>
    private EntityLife NextLife() => _nextLife ??= new EntityLife(Name, _registry.Store.TagOf(Name.Utf8), 0, 0);

    /// <summary>A fence in flight is not among the tombstones yet, and the life after it has no number yet: both count as what they will be.</summary>
    private bool IsBoundTo(in LifeBinding bound)
    {
        if (bound.IsAny) return true;
        if (!bound.IsFirst) return _life?.Number == bound.Number;
        return !_erased && !_fenced && !(Shard.Tombstones.Any && Shard.Tombstones.TryFind(_registry.Store.TagOf(Name.Utf8), out _));
    }

    private bool IsExpected(in ExpectedSeq expected)
    {
        if (expected.IsAny) return true;
        if (expected.Seq != _lastSeq) return false;
        return expected.Life is not { } life || life == LifeOf(_life);
    }

    private Life LifeOf(EntityLife? life) => life is null ? default : Shard.LifeOf(life.Number);
}
