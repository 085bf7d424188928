using System.Diagnostics;
using System.Text;

namespace Warp.Http.Aggregates.Values;

/// <summary>One JSON value, immutable: 24 bytes, of which a number or a truth value needs nothing on the heap.</summary>
/// <remarks>Text is UTF-8 without escapes. A number that doesn't read back as it was written keeps its characters.</remarks>
public readonly struct JsonValue
{
    /// <summary>The exponent that marks a number outside <see cref="Values.Number"/>'s range, of which only the characters are
    /// known.</summary>
    private const short OutOfRange = short.MaxValue;

    /// <summary>Bytes of an array's header: length and method table.</summary>
    private const int HeaderBytes = 24;

    private readonly object? _reference; // byte[] of a text or of a number's characters, JsonList, JsonMap
    private readonly ulong _low;
    private readonly uint _high;
    private readonly short _exponent;
    private readonly bool _isNegative;
    private readonly JsonKind _kind;

    private JsonValue(JsonKind kind, object? reference = null)
    {
        _kind = kind;
        _reference = reference;
    }

    public JsonValue(Number number, byte[]? characters = null)
    {
        _kind = JsonKind.Number;
        _reference = characters;
        _low = number.Low;
        _high = number.High;
        _exponent = number.Exponent;
        _isNegative = number.IsNegative;
    }

    private JsonValue(byte[] outOfRangeNumber)
    {
        _kind = JsonKind.Number;
        _reference = outOfRangeNumber;
        _exponent = OutOfRange;
    }

    public JsonKind Kind => _kind;

    public bool IsNumber => _kind == JsonKind.Number;

    /// <summary>True if the number can't be calculated with; it is only passed on.</summary>
    public bool IsOutOfRange => _exponent == OutOfRange;

    public bool IsError => _kind == JsonKind.Error;

    public bool IsMissing => _kind == JsonKind.Missing;

    public bool IsContainer => _kind is JsonKind.List or JsonKind.Map;

    public bool IsBool => _kind is JsonKind.True or JsonKind.False;

    public static JsonValue Null => new(JsonKind.Null);

    public static JsonValue True => new(JsonKind.True);

    public static JsonValue False => new(JsonKind.False);

    internal static JsonValue Error => new(JsonKind.Error);

    public Number Number
    {
        get
        {
            Debug.Assert(_kind == JsonKind.Number && !IsOutOfRange, "Only a number in range has a value.");
            return new Number(_low, _high, _exponent, _isNegative);
        }
    }

    /// <summary>The characters of a number as they were sent; null where the canonical text is the same.</summary>
    public byte[]? Characters => IsNumber ? (byte[]?)_reference : null;

    /// <summary>UTF-8 of a text. Shared: never write into it.</summary>
    public byte[] Utf8 => (byte[])_reference!;

    public JsonList List => (JsonList)_reference!;

    public JsonMap Map => (JsonMap)_reference!;

    /// <summary>Heap bytes below this value, about; a state that shares parts with another counts them again.</summary>
    public long Weight => _reference switch
    {
        null => 0,
        byte[] bytes => HeaderBytes + bytes.Length,
        JsonMap map => map.Weight,
        JsonList list => list.Weight,
        _ => 0,
    };

    /// <summary>Levels of lists and maps, 0 for others.</summary>
    public int Depth => _reference switch
    {
        JsonMap map => map.Depth,
        JsonList list => list.Depth,
        _ => 0,
    };

    /// <summary>The same where nothing has to be looked through for it, else -1.</summary>
    internal int KnownDepth => _reference is JsonMap map ? map.KnownDepth : Depth;

    public static JsonValue Of(bool value) => new(value ? JsonKind.True : JsonKind.False);

    public static JsonValue Of(long value) => new(new Number(value));

    public static JsonValue Of(byte[] utf8) => new(JsonKind.Text, utf8);

    public static JsonValue Of(string text) => new(JsonKind.Text, Encoding.UTF8.GetBytes(text));

    public static JsonValue Of(JsonList list) => new(JsonKind.List, list);

    public static JsonValue Of(JsonMap map) => new(JsonKind.Map, map);

    /// <summary>A number as it was sent; its syntax must have been checked.</summary>
    public static JsonValue OfNumber(ReadOnlySpan<byte> characters)
    {
        if (!Number.TryParse(characters, out var number, out var isCanonical)) return new JsonValue(characters.ToArray());
        return new JsonValue(number, isCanonical ? null : characters.ToArray());
    }

    /// <summary>The text as a string, for the few functions that need one.</summary>
    public string GetString() => Encoding.UTF8.GetString(Utf8);
}
