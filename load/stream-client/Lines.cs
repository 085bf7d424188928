using System.Globalization;
using System.Text;

namespace Warp.Http.StreamClient;

/// <summary>
/// The lines of one connection, made before the measuring begins: one for each of its entities, in a shuffled order that is gone through again
/// and again. So the seq that a line must be given follows from its number, and nothing is kept for each entity.
/// </summary>
internal sealed class Lines
{
    private readonly byte[] _text;
    private readonly int[] _starts;
    private readonly byte[][] _entities;
    private readonly int _batch;

    public Lines(ClientOptions options, string run, int connection)
    {
        _batch = options.Batch;
        Count = Math.Max(1, options.Entities / options.Connections);
        _entities = [.. Enumerable.Range(0, Count).Select(n => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"user/{run}-{connection}-{n}")))];

        // Neighbours in number must not be neighbours in time (a fixed shuffle, so that runs are alike).
        var next = 1L + connection;
        for (var i = Count - 1; i > 0; i--)
        {
            next = next * 16807 % 2147483647; // Park and Miller's generator
            var j = (int)(next % (i + 1));
            (_entities[i], _entities[j]) = (_entities[j], _entities[i]);
        }

        var text = new StringBuilder();
        _starts = new int[Count + 1];
        for (var i = 0; i < Count; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"{{\"entity\":\"{Encoding.UTF8.GetString(_entities[i])}\",");
            if (options.Batch == 1) text.Append(Event(options, i));
            else text.Append("\"events\":[").AppendJoin(',', Enumerable.Range(0, options.Batch).Select(n => $"{{{Event(options, n)}}}")).Append(']');
            text.Append("}\n");
            _starts[i + 1] = text.Length;
        }

        _text = Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>Lines in a round; line numbers begin with 0 and go on over the rounds.</summary>
    public int Count { get; }

    /// <summary>Lines from <paramref name="first"/> that stand together, at most so many, with their bytes.</summary>
    public ReadOnlyMemory<byte> Take(long first, int linesMax, int bytesMax, out int taken)
    {
        var at = (int)(first % Count);
        var end = Math.Min(Count, at + linesMax);
        while (end > at + 1 && _starts[end] - _starts[at] > bytesMax) end = at + ((end - at) / 2);
        taken = end - at;
        return _text.AsMemory(_starts[at], _starts[end] - _starts[at]);
    }

    public ReadOnlySpan<byte> EntityOf(long line) => _entities[(int)(line % Count)];

    public long FirstSeqOf(long line) => (line / Count * _batch) + 1;

    public long LastSeqOf(long line) => FirstSeqOf(line) + _batch - 1;

    private static string Event(ClientOptions options, int n)
    {
        var padding = options.Padding > 0 ? $",\"note\":\"{new string('x', options.Padding)}\"" : "";
        return string.Create(CultureInfo.InvariantCulture, $"\"type\":\"Credited\",\"payload\":{{\"amount\":{10 + (n * 7 % 90)}{padding}}}");
    }
}
