using System.Runtime.InteropServices;
using System.Text.Json;

namespace Warp.Http.Aggregates.Values;

/// <summary>
/// Whether two JSON texts mean the same: members unordered, numbers by value and exactly, whatever their length or exponent, members of
/// one name in the order they came.
/// </summary>
/// <remarks>
/// <see cref="JsonElement.DeepEquals"/> throws on exponents beyond 32 bits. Time is linear in the texts' length, but for sorting out
/// members by name where their order differs.
/// </remarks>
public static class JsonEquality
{
    /// <summary>Beyond every nesting that a body may have (<c>jsonDepth</c>).</summary>
    private const int DepthMax = 640;

    /// <summary>Compares two texts; bytes that are not JSON are equal to nothing but themselves.</summary>
    public static bool AreEqual(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        if (a.SequenceEqual(b)) return true;
        try
        {
            using var left = Parse(a);
            using var right = Parse(b);
            return Compare(left.RootElement, right.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a name with a lone surrogate, which no checked body has.
            return false;
        }
    }

    private static JsonDocument Parse(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = DepthMax });
        var document = JsonDocument.ParseValue(ref reader);
        if (reader.BytesConsumed == utf8.Length || !reader.Read()) return document;
        document.Dispose();
        throw new JsonException("There is more than one JSON value.");
    }

    private static bool Compare(JsonElement a, JsonElement b)
    {
        if (a.ValueKind != b.ValueKind) return false;
        switch (a.ValueKind)
        {
            case JsonValueKind.Number:
                return NumberText.AreEqual(JsonMarshal.GetRawUtf8Value(a), JsonMarshal.GetRawUtf8Value(b));
            case JsonValueKind.String:
                return CompareText(JsonMarshal.GetRawUtf8Value(a), JsonMarshal.GetRawUtf8Value(b), a, b);
            case JsonValueKind.Array:
                return CompareItems(a, b);
            case JsonValueKind.Object:
                return CompareMembers(a, b);
            default:
                return true;
        }
    }

    private static bool CompareText(ReadOnlySpan<byte> rawA, ReadOnlySpan<byte> rawB, JsonElement a, JsonElement b)
    {
        if (rawA.SequenceEqual(rawB)) return true;
        if (!rawA.Contains((byte)'\\') && !rawB.Contains((byte)'\\')) return false;
        return string.Equals(a.GetString(), b.GetString(), StringComparison.Ordinal);
    }

    private static bool CompareItems(JsonElement a, JsonElement b)
    {
        if (a.GetArrayLength() != b.GetArrayLength()) return false;
        using var left = a.EnumerateArray();
        using var right = b.EnumerateArray();
        foreach (var item in left)
        {
            right.MoveNext();
            if (!Compare(item, right.Current)) return false;
        }

        return true;
    }

    private static bool CompareMembers(JsonElement a, JsonElement b)
    {
        if (a.GetPropertyCount() != b.GetPropertyCount()) return false;
        using var left = a.EnumerateObject();
        using var right = b.EnumerateObject();
        while (left.MoveNext() && right.MoveNext())
        {
            // As long as the names come in the same order nothing has to be looked up.
            if (!SameName(left.Current, right.Current)) return CompareUnordered(left, right);
            if (!Compare(left.Current.Value, right.Current.Value)) return false;
        }

        return true;
    }

    private static bool SameName(JsonProperty a, JsonProperty b)
    {
        var rawA = JsonMarshal.GetRawUtf8PropertyName(a);
        var rawB = JsonMarshal.GetRawUtf8PropertyName(b);
        if (rawA.SequenceEqual(rawB)) return true;
        if (!rawA.Contains((byte)'\\') && !rawB.Contains((byte)'\\')) return false;
        return string.Equals(a.Name, b.Name, StringComparison.Ordinal);
    }

    /// <summary>Compares the members from the current ones on: the values of one name form a queue.</summary>
    private static bool CompareUnordered(JsonElement.ObjectEnumerator left, JsonElement.ObjectEnumerator right)
    {
        var byName = new Dictionary<string, Queue<JsonElement>>(StringComparer.Ordinal);
        do
        {
            if (!byName.TryGetValue(right.Current.Name, out var values)) byName.Add(right.Current.Name, values = new Queue<JsonElement>(1));
            values.Enqueue(right.Current.Value);
        }
        while (right.MoveNext());

        do
        {
            if (!byName.TryGetValue(left.Current.Name, out var values) || !values.TryDequeue(out var value)) return false;
            if (!Compare(left.Current.Value, value)) return false;
        }
        while (left.MoveNext());
        return true;
    }
}
