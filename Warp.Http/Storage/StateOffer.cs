using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>A folded state on its way into the journal, so that it is found again after a crash. Nobody waits for it, and it may be dropped.</summary>
/// <remarks>Only of durable events: the writer puts it wherever it comes, after whatever was committed before.</remarks>
internal sealed class StateOffer : CommitItem
{
    private readonly byte[] _body;

    /// <param name="body">As <see cref="StateBody.Write"/> wrote it.</param>
    public StateOffer(EntityRef entity, long seq, byte[] body)
    {
        Kind = CommitKind.State;
        EntityRef = entity;
        FirstSeq = seq;
        _body = body;
        BodyCrc = Crc32C.Compute(body);
    }

    public override ReadOnlySpan<byte> Body => _body;

    public override uint BodyCrc { get; }

    public override void Complete()
    {
        // Kept or not, the events are what counts.
    }
}
