using System.Diagnostics;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

internal enum PostResult
{
    /// <summary>Queued; somebody else drains.</summary>
    Queued,

    /// <summary>Queued, and the caller now owns the mailbox: it must drain.</summary>
    Drain,

    /// <summary>Not queued: as many as allowed wait already.</summary>
    Full,

    /// <summary>Not queued: the actor was passivated; ask the registry for its successor.</summary>
    Retired,
}

/// <summary>A lock-free queue of many posters and one drainer, whole in one word.</summary>
/// <remarks>
/// The word is null (idle), Owned (somebody drains, nothing waits), Retired (for ever), or the newest command, which leads to the older ones
/// (somebody drains). Any thread may post; whoever replaced null owns the mailbox until its <see cref="TryLeave_OwnerOnly"/> succeeds.
/// Invariant: the word is null only when nothing is queued and nobody drains. A flag beside the list would lose wake-ups: a poster that sees
/// the flag set just before the drainer clears it, after its last look at the list, leaves a command that nobody drains.
/// </remarks>
internal struct Mailbox<TCommand, TAtomics>
    where TCommand : class, IMailed<TCommand>
    where TAtomics : struct, IAtomics
{
    private static readonly object Owned = new();
    private static readonly object RetiredForEver = new();

    private object? _word;

    /// <summary>For ever, once it is true.</summary>
    public bool IsRetired => ReferenceEquals(TAtomics.Read(ref _word), RetiredForEver);

    /// <summary>Adds a command, unless <paramref name="waitingMax"/> wait already.</summary>
    public PostResult Post(TCommand command, int waitingMax)
    {
        while (true)
        {
            var head = TAtomics.Read(ref _word);
            if (ReferenceEquals(head, RetiredForEver)) return PostResult.Retired;
            var newest = head as TCommand;
            command.Next = newest;
            command.Waiting = newest is null ? 1 : newest.Waiting + 1;
            if (command.Waiting > waitingMax) return PostResult.Full;
            if (!ReferenceEquals(TAtomics.CompareExchange(ref _word, command, head), head)) continue;
            return head is null ? PostResult.Drain : PostResult.Queued;
        }
    }

    /// <summary>All that waits, oldest first; null if nothing does. The owner stays owner.</summary>
    public TCommand? TakeAll_OwnerOnly() => QueuedChain.OldestFirst(TAtomics.Exchange(ref _word, Owned) as TCommand);

    /// <summary>Gives the mailbox up. False if something was posted meanwhile: the caller is still the owner and must drain.</summary>
    public bool TryLeave_OwnerOnly()
    {
        var seen = TAtomics.CompareExchange(ref _word, null, Owned);
        Debug.Assert(seen is not null && !ReferenceEquals(seen, RetiredForEver), "Only the owner leaves.");
        return ReferenceEquals(seen, Owned);
    }

    /// <summary>Becomes owner of an idle mailbox; false if somebody drains or it is retired.</summary>
    public bool TryOwn() => TAtomics.CompareExchange(ref _word, Owned, null) is null;

    /// <summary>Ends the mailbox. False if something was posted meanwhile: the caller is still the owner and must drain.</summary>
    public bool TryRetire_OwnerOnly() => ReferenceEquals(TAtomics.CompareExchange(ref _word, RetiredForEver, Owned), Owned);
}

/// <summary>A command that carries its place in the queue beside its link, so that a poster sees how many wait.</summary>
public interface IMailed<T> : IQueued<T>
    where T : class
{
    /// <summary>How many wait, this one included; set by Post.</summary>
    int Waiting { get; set; }
}
