using System.Buffers;
using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Events;

namespace Warp.Http.Tests.Aggregates;

/// <summary>Short ways to definitions and states.</summary>
internal static class Definitions
{
    public static readonly EntityName Alice = new("user/alice"u8);

    public static readonly Life Life = new(0, 1);

    public static AggregateDefinition Make(string body)
    {
        var definition = AggregateDefinition.Parse(Encoding.UTF8.GetBytes(body), new Limits(), out var errors);
        errors.ShouldBeEmpty();
        return definition.ShouldNotBeNull();
    }

    public static FoldState NewState(AggregateDefinition? definition = null) => FoldState.Create(definition, Alice, Life);

    /// <summary>Folds an event that went through its stored form.</summary>
    public static FoldFailure? Apply(this FoldState state, string type, string payload, long seq = 0, int schemaVersion = 1)
    {
        var fields = new EventFields { Type = Encoding.UTF8.GetBytes(type), Payload = Encoding.UTF8.GetBytes(payload), SchemaVersion = schemaVersion };
        var record = new byte[EventRecord.SizeMax(fields)];
        EventRecord.Write(record, fields);
        ReadOnlySpan<byte> stored = record;
        return state.Apply(new RecordedEvent(seq == 0 ? state.Seq + 1 : seq, 1_700_000_000_000, EventRecord.Read(ref stored), default, 0));
    }

    public static string Text(this FoldState state)
    {
        var writer = new ArrayBufferWriter<byte>();
        state.Render(writer);
        return Encoding.UTF8.GetString(writer.WrittenSpan);
    }
}
