using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>
/// Reads the body of an append from contiguous UTF-8 into stored form, strictly, in one pass and without an allocation per event.
/// Refusals come as a <see cref="Problem"/>, not as exceptions: bad input is cheap for the service, too.
/// </summary>
internal ref partial struct EventParser
{
    private readonly Limits _limits;
    private readonly EncodedEvents _events;
    private ReadOnlySpan<byte> _json;

    // Room for texts that had escapes and JSON that had line breaks: together never longer than the event they come from.
    private byte[]? _scratch;
    private int _scratchUsed;

    private Problem? _problem;
    private Expectation _expectation;
    private Span<byte> _entity;
    private int _entityLength;
    private string? _arrayPath; // of the array whose elements are being read; null: the event is the document

    private EventParser(Limits limits, EncodedEvents events)
    {
        _limits = limits;
        _events = events;
    }

    /// <summary>A whole JSON body: one event, an array of events, or <c>{"events":[…],"expect":{…}}</c>.</summary>
    public static Problem? ParseJson(ReadOnlySpan<byte> body, Limits limits, EncodedEvents events, out Expectation expectation)
    {
        var parser = new EventParser(limits, events);
        parser.Document(body, EventMembers.OfEvent | EventMembers.OfBatch, allowArray: true);
        return parser.Finish(out expectation);
    }

    /// <summary>NDJSON: one event a line, empty lines between them do no harm.</summary>
    public static Problem? ParseNdjson(ReadOnlySpan<byte> body, Limits limits, EncodedEvents events)
    {
        var parser = new EventParser(limits, events);
        var line = 0;
        while (!body.IsEmpty && parser._problem is null)
        {
            var end = body.IndexOf((byte)'\n');
            var text = end < 0 ? body : body[..end];
            body = end < 0 ? default : body[(end + 1)..];
            line++;
            if (text.Trim(" \t\r"u8).IsEmpty) continue;
            if (events.Count == limits.BatchEvents)
            {
                parser._problem = TooManyEvents(events.Count + 1 + CountLines(body), limits);
                break;
            }

            parser.Document(text, EventMembers.OfEvent, allowArray: false);
            if (parser._problem is { } problem)
                parser._problem = problem.WithDetail(string.Create(CultureInfo.InvariantCulture, $"Line {line}: {problem.Detail}"));
        }

        return parser.Finish(out _);
    }

    /// <summary>One line of a stream: an event or <c>{"events":[…],"expect":{…}}</c>, with <c>entity</c>.</summary>
    /// <param name="entity">Takes the entity's name; as long as the limits allow a name to be.</param>
    /// <param name="entityLength">0 if the line has no valid name; set even where the rest of the line is refused, for the reply.</param>
    public static Problem? ParseLine(
        ReadOnlySpan<byte> line, Limits limits, EncodedEvents events, Span<byte> entity, out int entityLength, out Expectation expectation)
    {
        var parser = new EventParser(limits, events) { _entity = entity };
        parser.Document(line, EventMembers.OfEvent | EventMembers.OfBatch | EventMembers.Entity, allowArray: false);
        entityLength = parser._entityLength;
        return parser.Finish(out expectation);
    }

    private Problem? Finish(out Expectation expectation)
    {
        ReturnScratch();
        expectation = _expectation;
        if (_problem is not null) return _problem;
        if (_events.Count == 0) return Problems.EmptyBatch();
        if (_events.HasIds && _events.Count > 1 && EventIds.FindTwice(_events.Bytes, _events.Count) is { } id)
            return Problems.InvalidRequest("$", $"The event id \"{id}\" is given twice in this append; ids are unique.");
        _events.Seal();
        return null;
    }

    private void ReturnScratch()
    {
        if (_scratch is not null) ArrayPool<byte>.Shared.Return(_scratch);
        _scratch = null;
    }

    private void Document(ReadOnlySpan<byte> json, EventMembers allowed, bool allowArray)
    {
        _json = json;
        if (_scratch?.Length < json.Length) ReturnScratch(); // A later line may need more room than the one it was rented for.
        if (JsonStrictness.Check(json) is { } invalid)
        {
            _problem = invalid;
            return;
        }

        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = _limits.JsonDepth });
        try
        {
            if (json.Trim(" \t\r\n"u8).IsEmpty) _problem = Problems.InvalidJson("The body is empty.");
            else if (reader.Read() && Root(ref reader, allowed, allowArray)) reader.Read(); // Throws if something follows.
        }
        catch (JsonException error)
        {
            _problem = JsonStrictness.Explain(error, ref reader, json, _limits);
        }
    }

    private bool Root(ref Utf8JsonReader reader, EventMembers allowed, bool allowArray) => reader.TokenType switch
    {
        JsonTokenType.StartObject => Object(ref reader, allowed),
        JsonTokenType.StartArray when allowArray => Array(ref reader, "$"),
        _ => Refuse("$", allowArray ? "An append is an event, an array of events or {\"events\":[…]}." : "A line is a JSON object."),
    };

    private bool Array(ref Utf8JsonReader reader, string path)
    {
        _arrayPath = path;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (_events.Count == _limits.BatchEvents) return RefuseTooMany(ref reader);
            if (reader.TokenType != JsonTokenType.StartObject) return Refuse(PathOf(EventMembers.None), "An event is a JSON object.");
            if (!Object(ref reader, EventMembers.OfEvent)) return false;
        }

        _arrayPath = null;
        return true;
    }

    private bool RefuseTooMany(ref Utf8JsonReader reader)
    {
        var count = _events.Count;
        do
        {
            count++;
            reader.Skip();
        }
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray);

        _problem = TooManyEvents(count, _limits);
        return false;
    }

    private static Problem TooManyEvents(int count, Limits limits) =>
        Problems.PayloadTooLarge("The append's number of events", "batchEvents", limits.BatchEvents, count);

    private static int CountLines(ReadOnlySpan<byte> body)
    {
        var count = 0;
        foreach (var line in body.Split((byte)'\n'))
            if (!body[line].Trim(" \t\r"u8).IsEmpty) count++;
        return count;
    }

    private bool Refuse(string path, string detail)
    {
        _problem = Problems.InvalidRequest(path, $"{path}: {detail}");
        return false;
    }

    /// <summary>The JSON path of a member of the event being read; only refusals ask.</summary>
    private readonly string PathOf(EventMembers member)
    {
        var name = member == EventMembers.None ? "" : "." + char.ToLowerInvariant(member.ToString()[0]) + member.ToString()[1..];
        return _arrayPath is null ? "$" + name : string.Create(CultureInfo.InvariantCulture, $"{_arrayPath}[{_events.Count}]{name}");
    }
}
