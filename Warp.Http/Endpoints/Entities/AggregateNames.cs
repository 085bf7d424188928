using System.Collections.Concurrent;
using System.Text;

namespace Warp.Http.Endpoints;

/// <summary>Aggregate names in paths, as strings that are made once: the hot read allocates none.</summary>
internal sealed class AggregateNames
{
    /// <summary>Names that were found, so only real ones count; a store has a few dozen.</summary>
    private const int KnownMax = 4096;

    private readonly ConcurrentDictionary<string, string> _known = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> _bySpan;

    public AggregateNames() => _bySpan = _known.GetAlternateLookup<ReadOnlySpan<char>>();

    public string? TryGet(ReadOnlySpan<char> name) => _bySpan.TryGetValue(name, out var known) ? known : null;

    public void Remember(string name)
    {
        if (_known.Count < KnownMax) _known.TryAdd(name, name);
    }

    /// <summary>The name in a path segment, decoded and checked; null if it breaks the grammar, so that no aggregate can have it.</summary>
    public static string? Parse(ReadOnlySpan<char> segment)
    {
        var name = Uri.UnescapeDataString(segment.ToString());
        return EventParser.IsName(Encoding.UTF8.GetBytes(name)) ? name : null;
    }
}
