using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace Warp.Http.Tests.Recovery;

internal enum Identity
{
    None,
    EventIds,
    IdempotencyKey,
}

internal enum Outcome
{
    /// <summary>Sent, and no answer, or a 503: it may be stored or not, but not by halves.</summary>
    InDoubt,

    /// <summary>201, or 200 for a replay: it must be there, once, at the seqs of the answer.</summary>
    Acknowledged,

    /// <summary>Refused before anything was done: it must not be there.</summary>
    Refused,
}

/// <summary>One append that a writer sent: what it was, what came back, and where the history shows it.</summary>
/// <remarks>Sent by one writer at a time; judged only when no writer runs.</remarks>
internal sealed class AppendAttempt(int serial, int writer, string entity, int events, bool asArray, Identity identity)
{
    public int Serial { get; } = serial;
    public string Entity { get; } = entity;
    public int Events { get; } = events;
    public Identity Identity { get; } = identity;

    public Outcome Outcome { get; set; } = Outcome.InDoubt;
    public bool WasInDoubt { get; set; } // once sent without a clear answer; a later refusal does not take that back
    public long FirstSeq { get; set; } // of the acknowledgement
    public long LastSeq { get; set; }
    public long FoundAt { get; set; } // first seq in the history read last, 0 = not seen
    public long SettledAt { get; set; } // what an earlier reading of the history found; -1 = it was not there, and must never be

    /// <summary>The payload is a function of serial and index, so that the reader knows each one without the writer keeping it.</summary>
    public JsonObject Payload(int index) => new()
    {
        ["serial"] = Serial,
        ["index"] = index,
        ["size"] = Events,
        ["by"] = new JsonObject { [$"w{writer}"] = Serial },
        // A third of the events takes a member away again (RFC 7396: null removes), so that the fold is more than a union.
        [$"k{(Serial + index) % 5}"] = (Serial + index) % 3 == 0 ? null : $"é{Serial}.{index}",
    };

    public HttpRequestMessage Request()
    {
        var body = asArray ? new JsonArray([.. Enumerable.Range(0, Events).Select(Event)]) : Event(0);
        var request = new HttpRequestMessage(HttpMethod.Post, $"/v1/entities/{Entity}/events")
        {
            Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body.ToJsonString()))
            {
                Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
            },
        };
        if (Identity == Identity.IdempotencyKey) request.Headers.Add("Idempotency-Key", $"key-{Serial}");
        return request;
    }

    public override string ToString() => $"append {Serial} of {Events} events to {Entity} ({Identity}, {Outcome} {FirstSeq}..{LastSeq})";

    private JsonNode Event(int index)
    {
        var @event = new JsonObject { ["type"] = "Written", ["payload"] = Payload(index) };
        if (Identity == Identity.EventIds) @event["id"] = $"id-{Serial}-{index}";
        return @event;
    }
}
