using System.Diagnostics;
using System.Globalization;
using Warp.Http.StreamClient;

// Keeps lines in flight on several connections of POST /v1/events, checks every reply, and says how many a second there were and how long they took.
ClientOptions options;
try
{
    options = ClientOptions.Parse(args);
}
catch (FormatException error)
{
    await Console.Error.WriteLineAsync(error.Message);
    return 2;
}

var run = Convert.ToHexStringLower(BitConverter.GetBytes(Environment.TickCount64))[..4]; // entities that no earlier run has written to
Session[] sessions = [.. Enumerable.Range(0, options.Connections).Select(number =>
    options.Transport == Transport.H1 ? (Session)new Http1Session(options, run, number) : new HttpClientSession(options, run, number))];
using var stop = new CancellationTokenSource();
var running = Task.WhenAll(sessions.Select(session => Task.Run(() => session.RunAsync(stop.Token))));
try
{
    using var self = Process.GetCurrentProcess();
    using var service = options.ServicePid is { } pid ? Process.GetProcessById(pid) : null;
    await WaitAsync(options.Warmup);
    foreach (var session in sessions) session.BeginMeasuring();
    var started = Stopwatch.GetTimestamp();
    var (clientBefore, serviceBefore) = (ProcessorTime(self), ProcessorTime(service));
    var before = Answered();
    var seconds = new List<long>();
    var last = before;
    for (var second = 1; second <= options.Duration.TotalSeconds; second++)
    {
        await WaitAsync(TimeSpan.FromSeconds(second) - Stopwatch.GetElapsedTime(started));
        var now = Answered();
        seconds.Add((now - last) * options.Batch);
        last = now;
    }

    var measured = Stopwatch.GetElapsedTime(started);
    var (clientTime, serviceTime) = (ProcessorTime(self) - clientBefore, ProcessorTime(service) - serviceBefore);
    await stop.CancelAsync();
    await running;
    var latencies = new Histogram();
    foreach (var session in sessions) latencies.Add(session.Latencies);
    var events = (last - before) * options.Batch;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"RESULT events={events} lines={last - before} seconds={measured.TotalSeconds:0.000} rate={events / measured.TotalSeconds:0} p50_ms={latencies.Milliseconds(0.5):0.00} p99_ms={latencies.Milliseconds(0.99):0.00} max_ms={latencies.Milliseconds(1):0.00}"
        + $" client_us={clientTime.TotalMicroseconds / events:0.00} service_us={serviceTime.TotalMicroseconds / events:0.00}"));
    Console.WriteLine("WINDOWS " + string.Join(' ', seconds));
    return 0;
}
catch (Exception error) when (error is InvalidDataException or IOException or HttpRequestException or System.Net.Sockets.SocketException)
{
    await Console.Error.WriteLineAsync(error.Message);
    return 1;
}
finally
{
    foreach (var session in sessions) session.Dispose();
}

long Answered() => sessions.Sum(session => session.Answered);

// Of all its threads, user and system.
static TimeSpan ProcessorTime(Process? process)
{
    process?.Refresh();
    return process?.TotalProcessorTime ?? TimeSpan.Zero;
}

// Ends early with what went wrong.
async Task WaitAsync(TimeSpan time)
{
    if (time <= TimeSpan.Zero) return;
    if (await Task.WhenAny(running, Task.Delay(time)) == running) await running;
}
