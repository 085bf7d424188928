using Warp.Http.Events;

namespace Warp.Http.Subscriptions;

/// <summary>The lines of an event stream (<see href="https://html.spec.whatwg.org/multipage/server-sent-events.html"/>).</summary>
/// <remarks>
/// A line ends at CR, LF or both and at nothing else. JSON has neither outside of escapes: stored payloads are without line breaks, and texts are
/// written with escapes. U+2028 and the like are text here.
/// </remarks>
internal static class SseText
{
    /// <summary>Said first: how long a client waits before it connects again, in milliseconds.</summary>
    public static ReadOnlySpan<byte> Retry => "retry: 1000\n\n"u8;

    public static ReadOnlySpan<byte> Heartbeat => ":\n\n"u8;

    public static void WriteEvent(JsonBuffer to, in RecordedEvent recorded, Life life, ReadOnlySpan<byte> entity)
    {
        to.Raw("data: "u8);
        EventJson.Write(to, recorded, life, entity);
        to.Raw("\n\n"u8);
    }

    /// <summary>The id line of an entity's stream: the seq, with the life where the name had one before.</summary>
    public static void WriteId(JsonBuffer to, long seq, Life life, bool isRecreated)
    {
        to.Raw("id: "u8);
        to.Number(seq);
        if (isRecreated)
        {
            to.Raw((byte)'.');
            to.Advance(life.Format(to.GetSpan(16)));
        }

        to.Raw((byte)'\n');
    }

    /// <summary>The id line of a stream of all entities.</summary>
    public static void WriteId(JsonBuffer to, ulong storeId, ReadOnlySpan<FeedPlace> places)
    {
        to.Raw("id: "u8);
        to.Advance(Cursor.Format(to.GetSpan(Cursor.TextBytesMax(places.Length)), storeId, places));
        to.Raw((byte)'\n');
    }

    /// <summary>Opens a control message; its data follows, and two line breaks.</summary>
    public static void BeginControl(JsonBuffer to, ReadOnlySpan<byte> name)
    {
        to.Raw("event: "u8);
        to.Raw(name);
        to.Raw("\ndata: "u8);
    }
}
