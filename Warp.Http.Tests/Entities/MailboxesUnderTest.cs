using Warp.Http.Entities;

namespace Warp.Http.Tests.Entities;

internal sealed class MailedItem(int poster, int number) : IMailed<MailedItem>
{
    public int Poster { get; } = poster;

    public int Number { get; } = number;

    public MailedItem? Next { get; set; }

    public int Waiting { get; set; }
}

internal interface IMailboxUnderTest
{
    IMailboxUnderTest New();

    PostResult Post(MailedItem item, int waitingMax);

    MailedItem? TakeAll();

    bool TryLeave();

    bool TryOwn();

    bool TryRetire();
}

/// <summary>The service's own, stepped.</summary>
internal sealed class RealMailbox : IMailboxUnderTest
{
    private Mailbox<MailedItem, SteppedAtomics> _mailbox;

    public IMailboxUnderTest New() => new RealMailbox();

    public PostResult Post(MailedItem item, int waitingMax) => _mailbox.Post(item, waitingMax);

    public MailedItem? TakeAll() => _mailbox.TakeAll_OwnerOnly();

    public bool TryLeave() => _mailbox.TryLeave_OwnerOnly();

    public bool TryOwn() => _mailbox.TryOwn();

    public bool TryRetire() => _mailbox.TryRetire_OwnerOnly();
}

/// <summary>A mutant: a list, and beside it a flag that says whether somebody drains.</summary>
internal sealed class FlagMailbox(FlagMailbox.Clearing clearing) : IMailboxUnderTest
{
    private static readonly object Draining = new();
    private object? _list;
    private object? _flag;

    internal enum Clearing
    {
        AfterTheLook,
        BeforeTheLook,
        WithAFence,
    }

    public IMailboxUnderTest New() => new FlagMailbox(clearing);

    public PostResult Post(MailedItem item, int waitingMax)
    {
        do item.Next = (MailedItem?)SteppedAtomics.Read(ref _list);
        while (!ReferenceEquals(SteppedAtomics.CompareExchange(ref _list, item, item.Next), item.Next));
        return SteppedAtomics.Read(ref _flag) is null && TryOwn() ? PostResult.Drain : PostResult.Queued;
    }

    public MailedItem? TakeAll()
    {
        MailedItem? oldest = null;
        for (var newest = (MailedItem?)SteppedAtomics.Exchange(ref _list, null); newest is not null;)
            (newest.Next, oldest, newest) = (oldest, newest, newest.Next);
        return oldest;
    }

    public bool TryLeave()
    {
        if (clearing == Clearing.AfterTheLook)
        {
            if (SteppedAtomics.Read(ref _list) is not null) return false;
            SteppedAtomics.Exchange(ref _flag, null);
            return true;
        }

        if (clearing == Clearing.WithAFence) SteppedAtomics.Exchange(ref _flag, null);
        else Interleaver.Store(() => _flag = null);

        // Something was posted meanwhile, and its poster may have seen the flag: go on if nobody else does.
        return SteppedAtomics.Read(ref _list) is null || !TryOwn();
    }

    public bool TryOwn() => SteppedAtomics.CompareExchange(ref _flag, Draining, null) is null;

    public bool TryRetire() => false;
}

/// <summary>A mutant: retires whatever the word says.</summary>
internal sealed class CarelessRetirement : IMailboxUnderTest
{
    private static readonly object Owned = new();
    private static readonly object Retired = new();
    private object? _word;

    public IMailboxUnderTest New() => new CarelessRetirement();

    public PostResult Post(MailedItem item, int waitingMax)
    {
        while (true)
        {
            var head = SteppedAtomics.Read(ref _word);
            if (ReferenceEquals(head, Retired)) return PostResult.Retired;
            item.Next = head as MailedItem;
            if (!ReferenceEquals(SteppedAtomics.CompareExchange(ref _word, item, head), head)) continue;
            return head is null ? PostResult.Drain : PostResult.Queued;
        }
    }

    public MailedItem? TakeAll() => SteppedAtomics.Exchange(ref _word, Owned) as MailedItem;

    public bool TryLeave() => ReferenceEquals(SteppedAtomics.CompareExchange(ref _word, null, Owned), Owned);

    public bool TryOwn() => SteppedAtomics.CompareExchange(ref _word, Owned, null) is null;

    public bool TryRetire()
    {
        SteppedAtomics.Exchange(ref _word, Retired);
        return true;
    }
}
