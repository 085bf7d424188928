using System.Text.Json;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>What a rule's expressions read of the payload, so that nothing else of it is parsed.</summary>
internal sealed class PayloadPlan
{
    /// <summary>Up to here comparing with each name is faster than hashing.</summary>
    private const int SearchedMax = 8;

    private readonly List<byte[]> _names = [];
    private readonly Dictionary<byte[], int> _slots = new(Utf8Comparer.Instance);

    public int Slots => _names.Count;

    /// <summary>True if an expression uses the payload itself, not only members of it.</summary>
    public bool IsWhole { get; set; }

    public int SlotOf(byte[] name)
    {
        if (_slots.TryGetValue(name, out var slot)) return slot;
        _slots.Add(name, _names.Count);
        _names.Add(name);
        return _names.Count - 1;
    }

    /// <summary>Fills the slots from the payload's bytes and answers the payload, or an empty map in its place if only members are
    /// read.</summary>
    /// <exception cref="JsonException">The bytes are not JSON.</exception>
    public JsonValue Read(ReadOnlySpan<byte> payload, Span<JsonValue> members)
    {
        if (IsWhole) return Read(JsonParser.Parse(payload, FoldLimits.ValueDepth), members);
        members.Clear();
        var reader = new Utf8JsonReader(payload, new JsonReaderOptions { MaxDepth = FoldLimits.ValueDepth });
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) return JsonParser.ReadValue(ref reader);
        if (_names.Count == 0) return JsonValue.Of(JsonMap.Empty);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var slot = FindSlot(ref reader);
            reader.Read();

            // The last of several members of one name wins, so the scan goes on to the end.
            if (slot >= 0) members[slot] = JsonParser.ReadValue(ref reader);
            else reader.Skip();
        }

        return JsonValue.Of(JsonMap.Empty);
    }

    /// <summary>Fills the slots from a payload that is parsed already.</summary>
    public JsonValue Read(in JsonValue payload, Span<JsonValue> members)
    {
        for (var slot = 0; slot < _names.Count; slot++)
            members[slot] = payload.Kind == JsonKind.Map ? payload.Map.Get(_names[slot].AsSpan()) : default;
        return payload;
    }

    private int FindSlot(ref Utf8JsonReader reader) =>
        reader.ValueIsEscaped ? FindSlot(JsonParser.ReadText(ref reader)) : FindSlot(reader.ValueSpan);

    private int FindSlot(ReadOnlySpan<byte> name)
    {
        if (_names.Count > SearchedMax) return _slots.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(name, out var slot) ? slot : -1;
        for (var i = 0; i < _names.Count; i++)
            if (name.SequenceEqual(_names[i])) return i;
        return -1;
    }
}
