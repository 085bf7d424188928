using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Warp.Http.Subscribers;

/// <summary>Appends to the busy entity at a steady rate, and notes for each event when it was sent and when its reply came.</summary>
internal sealed class Appends(Arguments arguments, string entity)
{
    private readonly List<(long Sent, long Replied)> _times = [];

    /// <summary>Timestamps of event <c>n</c> (its payload), from 0.</summary>
    public IReadOnlyList<(long Sent, long Replied)> Times => _times;

    public async Task RunAsync()
    {
        using var client = new HttpClient();
        var path = new Uri(arguments.Url, $"/v1/entities/{entity}/events");
        var started = Stopwatch.GetTimestamp();
        var count = arguments.Rate * arguments.Seconds;
        for (var n = 0; n < count; n++)
        {
            var due = TimeSpan.FromSeconds((double)n / arguments.Rate) - Stopwatch.GetElapsedTime(started);
            if (due > TimeSpan.Zero) await Task.Delay(due);
            using var content = new StringContent(
                string.Create(CultureInfo.InvariantCulture, $$$"""{"type":"Ticked","payload":{"n":{{{n}}},"currency":"EUR"}}"""), Encoding.UTF8, "application/json");
            var sent = Stopwatch.GetTimestamp();
            using var answer = await client.PostAsync(path, content);
            _times.Add((sent, Stopwatch.GetTimestamp()));
            answer.EnsureSuccessStatusCode();
        }
    }
}
