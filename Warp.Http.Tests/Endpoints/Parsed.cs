using System.Text;
using Warp.Http.Endpoints;
using Warp.Http.Events;

namespace Warp.Http.Tests.Endpoints;

/// <summary>A body as the parser read it, in a form that assertions can hold.</summary>
internal sealed record Parsed(Problem? Problem, IReadOnlyList<ParsedEvent> Events, Expectation Expectation, string Entity)
{
    private static readonly Limits s_limits = new();

    public ParsedEvent Single => Events.ShouldHaveSingleItem();

    public static Parsed Json(string body, Limits? limits = null) => Json(Encoding.UTF8.GetBytes(body), limits);

    public static Parsed Json(byte[] body, Limits? limits = null)
    {
        var events = new EncodedEvents();
        var problem = EventParser.ParseJson(body, limits ?? s_limits, events, out var expectation);
        return new Parsed(problem, problem is null ? Read(events) : [], expectation, "");
    }

    public static Parsed Ndjson(string body, Limits? limits = null)
    {
        var events = new EncodedEvents();
        var problem = EventParser.ParseNdjson(Encoding.UTF8.GetBytes(body), limits ?? s_limits, events);
        return new Parsed(problem, problem is null ? Read(events) : [], default, "");
    }

    public static Parsed Line(string line, Limits? limits = null)
    {
        var events = new EncodedEvents();
        Span<byte> entity = stackalloc byte[RequestTarget.NameBytesMax(limits ?? s_limits)];
        var problem = EventParser.ParseLine(Encoding.UTF8.GetBytes(line), limits ?? s_limits, events, entity, out var length, out var expectation);
        return new Parsed(problem, problem is null ? Read(events) : [], expectation, Encoding.UTF8.GetString(entity[..length]));
    }

    public void ShouldBeRefused(int status, string type, string? path = null)
    {
        var problem = Problem.ShouldNotBeNull();
        problem.Type.ShouldBe(type, problem.ToString());
        problem.Status.ShouldBe(status);
        if (path is not null) problem.ErrorPath.ShouldBe(path);
    }

    private static List<ParsedEvent> Read(EncodedEvents events)
    {
        List<ParsedEvent> read = [];
        var records = events.Bytes;
        while (!records.IsEmpty)
        {
            var e = EventRecord.Read(ref records);
            read.Add(new ParsedEvent(
                Text(e.Type), Text(e.Payload), Text(e.Aggregate), e.SchemaVersion, Text(e.Id), Text(e.Metadata), Text(e.OccurredAt)));
        }

        read.Count.ShouldBe(events.Count);
        return read;
    }

    private static string Text(ReadOnlySpan<byte> utf8) => Encoding.UTF8.GetString(utf8);
}

internal sealed record ParsedEvent(string Type, string Payload, string Aggregate, int SchemaVersion, string Id, string Metadata, string OccurredAt);
