namespace Warp.Http.Aggregates.Values;

/// <summary>Equality of values: numbers by value, members unordered, texts byte for byte.</summary>
/// <remarks>
/// Being one object proves nothing here: a state that was read back shares no parts, and must give the same answers at the same cost.
/// </remarks>
public static class ValueComparison
{
    /// <summary>Compares two values of any kind.</summary>
    /// <param name="steps">Counted down by one for each pair of values compared; below zero the answer means nothing.</param>
    /// <returns>Null if a number outside the range would decide, which can't be read.</returns>
    public static bool? AreEqual(in JsonValue a, in JsonValue b, ref int steps)
    {
        if (--steps < 0) return false;
        if (a.Kind != b.Kind) return false;
        switch (a.Kind)
        {
            case JsonKind.Number:
                if (a.IsOutOfRange || b.IsOutOfRange) return null;
                return a.Number == b.Number;
            case JsonKind.Text:
                steps -= a.Utf8.Length >> 6;
                return a.Utf8.AsSpan().SequenceEqual(b.Utf8);
            case JsonKind.List:
                return ListsEqual(a.List, b.List, ref steps);
            case JsonKind.Map:
                return MapsEqual(a.Map, b.Map, ref steps);
            default:
                return true;
        }
    }

    private static bool? ListsEqual(JsonList a, JsonList b, ref int steps)
    {
        if (a.Count != b.Count) return false;
        for (var i = 0; i < a.Count; i++)
            if (AreEqual(a.Items[i], b.Items[i], ref steps) is not true and var answer) return answer;
        return true;
    }

    private static bool? MapsEqual(JsonMap a, JsonMap b, ref int steps)
    {
        if (a.Count != b.Count) return false;
        foreach (ref readonly var member in a)
        {
            var other = b.Get(member.Name.AsSpan());
            steps -= member.Name.Length >> 6;
            if (other.IsMissing) return false;
            if (AreEqual(member.Value, other, ref steps) is not true and var answer) return answer;
        }

        return true;
    }
}
