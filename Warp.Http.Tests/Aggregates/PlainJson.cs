using System.Globalization;
using System.Text.Json;

namespace Warp.Http.Tests.Aggregates;

/// <summary>JSON as the models hold it: null, bool, decimal, string, List&lt;object?&gt; and Dictionary&lt;string, object?&gt;.</summary>
internal static class PlainJson
{
    public static object? Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return Read(document.RootElement);
    }

    public static string Text(object? value) => value switch
    {
        null => "null",
        bool truth => truth ? "true" : "false",
        decimal number => Number(number),
        string text => JsonSerializer.Serialize(text),
        List<object?> list => $"[{string.Join(',', list.Select(Text))}]",
        Dictionary<string, object?> map => $"{{{string.Join(',', map.Select(member => $"{JsonSerializer.Serialize(member.Key)}:{Text(member.Value)}"))}}}",
        _ => throw new ArgumentException($"{value.GetType()} is no plain JSON.", nameof(value)),
    };

    /// <summary>Without needless zeros.</summary>
    public static string Number(decimal number) =>
        number == 0 ? "0" : (number / 1.000000000000000000000000000m).ToString(CultureInfo.InvariantCulture);

    public static bool AreEqual(object? left, object? right) => (left, right) switch
    {
        (List<object?> a, List<object?> b) => a.Count == b.Count && a.Zip(b).All(pair => AreEqual(pair.First, pair.Second)),
        (Dictionary<string, object?> a, Dictionary<string, object?> b) =>
            a.Count == b.Count && a.All(member => b.TryGetValue(member.Key, out var other) && AreEqual(member.Value, other)),
        _ => Equals(left, right),
    };

    private static object? Read(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number => element.GetDecimal(),
        JsonValueKind.String => element.GetString(),
        JsonValueKind.Array => element.EnumerateArray().Select(Read).ToList(),
        _ => element.EnumerateObject().ToDictionary(member => member.Name, member => Read(member.Value), StringComparer.Ordinal),
    };
}
