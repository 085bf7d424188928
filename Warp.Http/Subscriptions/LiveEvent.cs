using Warp.Http.Events;

namespace Warp.Http.Subscriptions;

/// <summary>A committed event on its way to subscribers, rendered once for all that want it in this form. Immutable.</summary>
/// <param name="Message">
/// What is sent: of an entity's stream the whole message, id included; of all entities without the id, which depends on how far the subscriber
/// is in the other shards.
/// </param>
internal sealed record LiveEvent(Life Life, long Seq, long Position, byte[] Message);
