using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <content>What the actor takes in memory, where it stands in the registry, and how it leaves.</content>
public sealed partial class EntityActor
{
    /// <summary>The actor, its life, its name's object and array, its share of the table; measured over a million of them.</summary>
    private const int BaseBytes = 288;

    private EntityActor? _nextInTable; // under the table part's lock; read by any
    private long _charged; // its part of the registry's sum; Forgotten = none any more
    private long _judgingBytes; // set by the drainer: ids and working states
    private bool _wasUsed; // plain: a lost use makes it leave early, no more

    private const long Forgotten = -1;

    internal int NameHash { get; }

    internal EntityActor? NextInTable
    {
        get => Volatile.Read(ref _nextInTable);
        set => Volatile.Write(ref _nextInTable, value);
    }

    /// <summary>What it takes in memory, about: itself, its states, its ids.</summary>
    internal long Bytes => BaseBytes + Name.Utf8.Length + Volatile.Read(ref _judgingBytes) + (Published?.KnownStates?.Bytes ?? 0);

    /// <summary>It was passivated: its successor has what is new.</summary>
    internal bool IsRetired => _mailbox.IsRetired;

    /// <summary>Read first, so that the cache line of an actor in steady use stays clean.</summary>
    internal void Touch()
    {
        if (!_wasUsed) _wasUsed = true;
    }

    /// <summary>Whether it was used since the clock's hand passed last.</summary>
    internal bool TakeUse()
    {
        if (!_wasUsed) return false;
        _wasUsed = false;
        return true;
    }

    /// <summary>Brings its part of the registry's sum up to date.</summary>
    internal void CountBytes()
    {
        while (true)
        {
            var charged = Volatile.Read(ref _charged);
            if (charged == Forgotten) return;
            var bytes = Bytes;
            if (Interlocked.CompareExchange(ref _charged, bytes, charged) != charged) continue;
            if (bytes != charged) _registry.Charge(bytes - charged);
            return;
        }
    }

    /// <summary>Takes its part out of the registry's sum, once and for ever.</summary>
    internal long Uncharge()
    {
        var charged = Interlocked.Exchange(ref _charged, Forgotten);
        if (charged <= 0) return 0;
        _registry.Charge(-charged);
        return charged;
    }

    /// <summary>Passivates an idle actor. True if it takes no more commands and may be forgotten.</summary>
    internal bool TryRetire()
    {
        if (Published is { HasWaits: true } || !_mailbox.TryOwn()) return false;

        // Something in flight would complete into an actor that its successor knows nothing of.
        if (Volatile.Read(ref _inFlight) == 0 && _mailbox.TryRetire_OwnerOnly())
        {
            // Who began to wait between the first line and here waits for an append that another actor will complete: it must look again.
            // Who begins later sees that this one is retired.
            Interlocked.MemoryBarrier();
            Published?.EndWaits();
            return true;
        }

        Drain();
        return false;
    }

    /// <summary>Called by the drainer when a command may have changed what judging keeps. Small changes are let go by.</summary>
    private void CountJudging()
    {
        if (_ids is null && _working is null && _judgingBytes == 0) return;
        var bytes = _ids?.Bytes ?? 0;
        if (_working is not null)
            foreach (var state in _working.Values) bytes += state.Bytes;
        if (Math.Abs(bytes - _judgingBytes) <= 256 + (_judgingBytes >> 3)) return;
        Volatile.Write(ref _judgingBytes, bytes);
        CountBytes();
    }
}
