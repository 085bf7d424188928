using System.Text;
using System.Text.Json;
using Warp.Http.Aggregates;
using Warp.Http.Events;

namespace Warp.Http.Sagas;

/// <summary>A saga's log as events: JSON, for subscribers see it. It names no party and holds nothing of a payload, so erasing a party leaves it alone.</summary>
internal static class LogFormat
{
    private static readonly byte[][] s_types = [.. Enum.GetNames<LogType>().Select(Encoding.ASCII.GetBytes)];

    /// <summary>A result as clients see it.</summary>
    public static string NameOf(SagaResult result) => result switch
    {
        SagaResult.Running => "RUNNING",
        SagaResult.Compensating => "COMPENSATING",
        SagaResult.Committed => "COMMITTED",
        SagaResult.Compensated => "COMPENSATED",
        _ => "STUCK",
    };

    public static bool TryParseResult(string name, out SagaResult result)
    {
        foreach (var candidate in Enum.GetValues<SagaResult>())
        {
            result = candidate;
            if (NameOf(candidate).Equals(name, StringComparison.Ordinal)) return true;
        }

        result = default;
        return false;
    }

    public static void AddStarted(EncodedEvents events, SagaState saga)
    {
        using var json = JsonBuffer.Rent();
        json.Raw("{\"timeoutMs\":"u8);
        json.Number((long)saga.Timeout.TotalMilliseconds);
        json.Raw(",\"steps\":["u8);
        for (var i = 0; i < saga.Steps.Length; i++)
        {
            if (i > 0) json.Raw((byte)',');
            var party = saga.Steps[i].Party;
            json.Raw("{\"party\":"u8);
            json.Text(party.TagText());
            json.Raw(",\"life\":"u8);
            json.Text(party.LifeText());
            json.Raw(",\"at\":"u8);
            json.Number(party.At);
            json.Raw((byte)'}');
        }

        json.Raw("]}"u8);
        Add(events, LogType.Started, json);
    }

    public static void Add(EncodedEvents events, in LogEntry entry)
    {
        using var json = JsonBuffer.Rent();
        json.Raw((byte)'{');
        switch (entry.Type)
        {
            case LogType.StepDone or LogType.StepCompensated:
                WriteStep(json, entry.Step);
                json.Raw(",\"seq\":"u8);
                json.Number(entry.Seq);
                break;
            case LogType.StepErased:
                WriteStep(json, entry.Step);
                break;
            case LogType.StepRefused or LogType.CompensationRefused:
                WriteStep(json, entry.Step);
                WriteRefusal(json, entry.Refusal);
                if (entry.DetailAt > 0)
                {
                    json.Raw(",\"detailAt\":"u8);
                    json.Number(entry.DetailAt);
                }

                break;
            case LogType.Ended:
                json.Raw("\"resultType\":"u8);
                json.Text(NameOf(entry.Result));
                break;
            case LogType.Resolved:
                json.Raw("\"note\":"u8);
                json.Text(entry.Note);
                break;
        }

        json.Raw((byte)'}');
        Add(events, entry.Type, json);
    }

    /// <summary>The saga as its first event tells of it; the entry is still to be applied.</summary>
    public static SagaState ReadStarted(string id, in RecordedEvent started)
    {
        if (TypeOf(started) != LogType.Started) throw new InvalidDataException("A saga's log does not begin with its start.");
        var reader = new Utf8JsonReader(started.Fields.Payload);
        using var document = JsonDocument.ParseValue(ref reader);
        var payload = document.RootElement;
        var steps = payload.GetProperty("steps"u8).EnumerateArray().Select(step => new StepState(PartyRef.Read(
            step.GetProperty("party"u8).GetString()!, step.GetProperty("life"u8).GetString()!, step.GetProperty("at"u8).GetInt64())));
        return new SagaState(id, [.. steps], TimeSpan.FromMilliseconds(payload.GetProperty("timeoutMs"u8).GetInt64()), started.RecordedAtMs);
    }

    public static LogEntry Read(in RecordedEvent recorded)
    {
        var type = TypeOf(recorded);
        var reader = new Utf8JsonReader(recorded.Fields.Payload);
        using var document = JsonDocument.ParseValue(ref reader);
        var payload = document.RootElement;
        var step = payload.TryGetProperty("step"u8, out var number) ? number.GetInt32() : 0;
        var seq = payload.TryGetProperty("seq"u8, out number) ? number.GetInt64() : 0;
        return new LogEntry(type, step, seq)
        {
            Refusal = payload.TryGetProperty("refusal"u8, out var refusal) ? ReadRefusal(refusal) : default,
            DetailAt = payload.TryGetProperty("detailAt"u8, out number) ? number.GetInt64() : 0,
            Result = type == LogType.Ended && TryParseResult(payload.GetProperty("resultType"u8).GetString()!, out var result) ? result : default,
            Note = payload.TryGetProperty("note"u8, out var note) ? note.GetString() : null,
        };
    }

    private static LogType TypeOf(in RecordedEvent recorded)
    {
        for (var i = 0; i < s_types.Length; i++)
            if (recorded.Fields.Type.SequenceEqual(s_types[i])) return (LogType)i;
        throw new InvalidDataException("A saga's log holds an event of an unknown type.");
    }

    private static void Add(EncodedEvents events, LogType type, JsonBuffer payload) =>
        events.Add(new EventFields { Type = s_types[(int)type], SchemaVersion = 1, Payload = payload.Written });

    private static void WriteStep(JsonBuffer json, int step)
    {
        json.Raw("\"step\":"u8);
        json.Number(step);
    }

    /// <summary>
    /// Texts that may hold something of a payload are left out: a condition's stands with the step in the party's companion, an event's id follows
    /// from the step, and what a fold says is kept in the companion, too.
    /// </summary>
    private static void WriteRefusal(JsonBuffer json, in AppendOutcome refusal)
    {
        json.Raw(",\"refusal\":{\"status\":"u8);
        json.Text(refusal.Status.ToString());
        json.Raw(",\"life\":"u8);
        json.Text(refusal.Life.IsNone ? "" : refusal.Life.ToString());
        json.Raw(",\"firstSeq\":"u8);
        json.Number(refusal.FirstSeq);
        json.Raw(",\"lastSeq\":"u8);
        json.Number(refusal.LastSeq);
        if (refusal.Status == AppendStatus.Unavailable && refusal.Detail is not null)
        {
            json.Raw(",\"detail\":"u8);
            json.Text(refusal.Detail);
        }

        switch (refusal.Reason)
        {
            case InvariantViolation violation:
                json.Raw(",\"rule\":"u8);
                json.Text(violation.Rule);
                json.Raw(",\"message\":"u8);
                json.Text(violation.Message);
                json.Raw(",\"seq\":"u8);
                json.Number(violation.Seq);
                break;
            case FoldFailure failure:
                json.Raw(",\"line\":"u8);
                json.Number(failure.Line);
                json.Raw(",\"column\":"u8);
                json.Number(failure.Column);
                json.Raw(failure.IsOfRule ? ",\"isOfRule\":true"u8 : ",\"isOfRule\":false"u8);
                json.Raw(",\"seq\":"u8);
                json.Number(failure.Seq);
                break;
        }

        json.Raw((byte)'}');
    }

    private static AppendOutcome ReadRefusal(JsonElement refusal)
    {
        var status = Enum.Parse<AppendStatus>(refusal.GetProperty("status"u8).GetString()!);
        var life = Life.TryParse(Encoding.ASCII.GetBytes(refusal.GetProperty("life"u8).GetString()!), out var met) ? met : default;
        return new AppendOutcome(
            status, life, refusal.GetProperty("firstSeq"u8).GetInt64(), refusal.GetProperty("lastSeq"u8).GetInt64(),
            refusal.TryGetProperty("detail"u8, out var detail) ? detail.GetString() : null,
            status switch
            {
                AppendStatus.InvariantViolated => new InvariantViolation(Text("rule"), Text("message"), refusal.GetProperty("seq"u8).GetInt64()),
                AppendStatus.FoldFailed => new FoldFailure(
                    refusal.GetProperty("seq"u8).GetInt64(), null, refusal.GetProperty("line"u8).GetInt32(), refusal.GetProperty("column"u8).GetInt32(),
                    "What did not fold was erased with its party.")
                {
                    IsOfRule = refusal.GetProperty("isOfRule"u8).GetBoolean(),
                },
                _ => null,
            });

        string Text(string name) => refusal.GetProperty(name).GetString()!;
    }
}
