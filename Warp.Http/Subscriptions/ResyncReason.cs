namespace Warp.Http.Subscriptions;

/// <summary>Why a client's place can't be kept, as <c>resync</c> says it.</summary>
internal static class ResyncReason
{
    /// <summary>The client's place lies behind the end of the log, as after a restore.</summary>
    public const string Ahead = "ahead";

    /// <summary>The client's place belongs to a life that was erased.</summary>
    public const string Recreated = "recreated";

    /// <summary>The client's place is one that this store never gave out.</summary>
    public const string Unknown = "unknown";
}
