using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <content>The rules of the members: grammar and limits, each refused with the limit and the value.</content>
internal ref partial struct EventParser
{
    private static readonly SearchValues<byte> NameBytes =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"u8);

    /// <summary>The grammar of aggregate and projection names: <c>[A-Za-z][A-Za-z0-9_.-]{0,63}</c>.</summary>
    internal static bool IsName(ReadOnlySpan<byte> name) =>
        name.Length is > 0 and <= Limits.NameChars && char.IsAsciiLetter((char)name[0]) && !name.ContainsAnyExcept(NameBytes);

    /// <summary>What is wrong with an event's type; null = nothing.</summary>
    internal static string? TypeError(ReadOnlySpan<byte> type, Limits limits)
    {
        if (type.IsEmpty) return "The type is empty; it has at least 1 character.";

        // Nearly every type is short printable ASCII, which one vectorised look settles.
        if (type.Length <= limits.TypeChars && !type.ContainsAnyExceptInRange((byte)' ', (byte)'~')) return null;
        var characters = 0;
        foreach (var rune in new Utf8Runes(type))
        {
            characters++;
            if (Rune.IsControl(rune)) return "The type has a control character.";
        }

        return characters <= limits.TypeChars ? null : $"The type has {characters} characters; at most {limits.TypeChars} are allowed (typeChars).";
    }

    private bool CheckType(ReadOnlySpan<byte> type) => TypeError(type, _limits) is not { } error || Refuse(PathOf(EventMembers.Type), error);

    private bool CheckAggregate(ReadOnlySpan<byte> aggregate) =>
        IsName(aggregate) || Refuse(PathOf(EventMembers.Aggregate), $"An aggregate's name matches [A-Za-z][A-Za-z0-9_.-]{{0,{Limits.NameChars - 1}}}.");

    private bool CheckId(ReadOnlySpan<byte> id)
    {
        if (id.Length > _limits.EventIdChars)
            return Refuse(PathOf(EventMembers.Id), $"The id has {id.Length} bytes; at most {_limits.EventIdChars} are allowed (eventIdChars).");
        return (!id.IsEmpty && !id.ContainsAnyExceptInRange((byte)'!', (byte)'~'))
            || Refuse(PathOf(EventMembers.Id), "An id has 1 or more visible ASCII characters (! to ~).");
    }

    private bool CheckOccurredAt(ReadOnlySpan<byte> time) =>
        Rfc3339.IsValid(time)
        || Refuse(PathOf(EventMembers.OccurredAt), "The time is not RFC 3339 with an offset, as in 2026-01-31T12:00:00Z, or names a date that does not exist.");

    private bool Entity(ref Utf8JsonReader reader)
    {
        ReadOnlySpan<byte> name = default;
        if (!Text(ref reader, EventMembers.Entity, ref name)) return false;
        if (!EntityName.TryCheck(name, _limits, out var error))
        {
            _problem = Problems.InvalidEntityId($"$.entity: {error}", "$.entity");
            return false;
        }

        name.CopyTo(_entity);
        _entityLength = name.Length;
        return true;
    }

    private bool Expect(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject) return Refuse("$.expect", "The expectation is an object.");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var isSeq = reader.ValueTextEquals("seq"u8);
            var isWhen = reader.ValueTextEquals("when"u8);
            var isAggregate = reader.ValueTextEquals("aggregate"u8);
            var again = isSeq ? _expectation.Seq is not null : isWhen ? _expectation.When is not null : _expectation.Aggregate is not null;
            if (!isSeq && !isWhen && !isAggregate) return Refuse("$.expect." + reader.GetString(), "The member is unknown; expect has seq, when, aggregate.");
            if (again) return Refuse("$.expect." + reader.GetString(), "The member is given twice.");
            reader.Read();
            if (isSeq ? !ExpectSeq(ref reader) : isWhen ? !ExpectWhen(ref reader) : !ExpectAggregate(ref reader)) return false;
        }

        return _expectation.When is not null || _expectation.Aggregate is null
            || Refuse("$.expect.when", "expect.aggregate says whose state expect.when is judged on; when is missing.");
    }

    private bool ExpectSeq(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var seq) || seq < 0)
            return Refuse("$.expect.seq", "The seq is an integer, 0 or more.");
        _expectation.Seq = seq;
        return true;
    }

    private bool ExpectWhen(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String) return Refuse("$.expect.when", "The condition is a string.");
        var when = reader.GetString()!;
        if (when.Length == 0 || when.Length > _limits.ExpressionChars)
        {
            return Refuse("$.expect.when", string.Create(CultureInfo.InvariantCulture,
                $"The condition has {when.Length} characters; from 1 to {_limits.ExpressionChars} are allowed (expressionChars)."));
        }

        _expectation.When = when;
        return true;
    }

    private bool ExpectAggregate(ref Utf8JsonReader reader)
    {
        ReadOnlySpan<byte> name = default;
        if (reader.TokenType != JsonTokenType.String || !Text(ref reader, EventMembers.Aggregate, ref name) || !IsName(name))
            return Refuse("$.expect.aggregate", $"An aggregate's name matches [A-Za-z][A-Za-z0-9_.-]{{0,{Limits.NameChars - 1}}}.");
        _expectation.Aggregate = Encoding.ASCII.GetString(name);
        return true;
    }
}
