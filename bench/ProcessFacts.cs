using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;

namespace Warp.Http.Bench;

/// <summary>What Linux says of this process.</summary>
internal static class ProcessFacts
{
    /// <summary>The number behind <paramref name="name"/> in a file such as <c>/proc/self/io</c>; in the file's own unit.</summary>
    public static long Of(string file, string name)
    {
        foreach (var line in File.ReadLines(file))
        {
            if (!line.StartsWith(name + ":", StringComparison.Ordinal)) continue;
            var value = line[(name.Length + 1)..].Trim().Split(' ')[0];
            return long.Parse(value, CultureInfo.InvariantCulture);
        }

        throw new InvalidOperationException($"{file} has no {name}.");
    }
}

/// <summary>The service's own counters, summed since this was made; of a histogram, how often it was recorded.</summary>
internal sealed class Meters : IDisposable
{
    private readonly ConcurrentDictionary<string, long> _sums = new(StringComparer.Ordinal);
    private readonly MeterListener _listener = new();

    public Meters()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == "Warp.Http") listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, _, _) =>
        {
            if (instrument is Counter<long>) _sums.AddOrUpdate(instrument.Name, value, (_, sum) => sum + value);
        });
        _listener.SetMeasurementEventCallback<double>((instrument, _, _, _) => _sums.AddOrUpdate(instrument.Name, 1, (_, sum) => sum + 1));
        _listener.Start();
    }

    public long this[string name] => _sums.GetValueOrDefault(name);

    public void Dispose() => _listener.Dispose();
}
