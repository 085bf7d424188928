namespace Warp.Http.Projections;

/// <summary>How sure rqlite makes before it answers a query that nothing newer is stored.</summary>
public enum ReadLevel
{
    /// <summary>The leader answers, as far as it knows that it is one.</summary>
    Weak,

    /// <summary>The read goes through the cluster's log: nothing newer, and as slow as a write.</summary>
    Strong,

    /// <summary>As sure as <see cref="Strong"/>; the leader asks the others that it still is one, and writes nothing.</summary>
    Linearizable,

    /// <summary>The node that is asked answers from what it has, be it older, and without a leader, too.</summary>
    None,
}
