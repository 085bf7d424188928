// Opens event streams, appends to one entity at a steady rate, and says how long each event took to each subscriber. `load/subscribers.sh` runs it.
using System.Diagnostics;
using System.Globalization;
using Warp.Http.Subscribers;

if (Arguments.Parse(args) is not { } arguments)
{
    await Console.Error.WriteLineAsync("Usage: see load/subscribers.sh");
    return 2;
}

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var run = Random.Shared.Next().ToString("x", CultureInfo.InvariantCulture); // entities of its own: a second run finds new ones
var memoryBefore = MemoryKb(arguments.Pid);
var subscribers = new List<EventSocket>();
using var loop = new EventLoop();
for (var i = 0; i < arguments.Subscribers; i++)
{
    var socket = new EventSocket();
    socket.Open(arguments.Url, NameOf(i % arguments.Entities), isDeaf: false);
    subscribers.Add(socket);
    loop.Add(socket);
}

loop.Start();
await Task.WhenAll(subscribers.Select(s => s.Live)).WaitAsync(TimeSpan.FromSeconds(60));
var deaf = new List<EventSocket>();
for (var i = 0; i < arguments.Deaf; i++)
{
    var socket = new EventSocket();
    socket.Open(arguments.Url, NameOf(0), isDeaf: true);
    deaf.Add(socket);
}

await Task.Delay(TimeSpan.FromSeconds(2)); // what opening them allocated is collected, more or less
var memoryIdle = MemoryKb(arguments.Pid);
Console.WriteLine("ready");
var appends = new Appends(arguments, NameOf(0));
var readsBefore = subscribers.Sum(s => s.Reads);
var processorBefore = ProcessorTimes(arguments.Pid);
await appends.RunAsync();
await Task.Delay(TimeSpan.FromSeconds(1));
var processorAfter = ProcessorTimes(arguments.Pid);
var memoryAfter = MemoryKb(arguments.Pid);
loop.Dispose();
foreach (var socket in subscribers.Concat(deaf)) socket.Dispose();

var fromReply = new List<double>();
var toArrival = new List<double>();
var fromSend = new List<double>();
var followers = subscribers.Where((_, i) => i % arguments.Entities == 0).ToList();
var missing = 0;
foreach (var socket in followers)
{
    missing += appends.Times.Count - socket.Received.Count;
    for (var i = 0; i < socket.Received.Count; i++)
    {
        var (n, arrivedAt, readAt) = socket.Received[i];
        if (n != i) missing++;
        toArrival.Add(Stopwatch.GetElapsedTime(appends.Times[n].Replied, arrivedAt).TotalMilliseconds);
        fromReply.Add(Stopwatch.GetElapsedTime(appends.Times[n].Replied, readAt).TotalMilliseconds);
        fromSend.Add(Stopwatch.GetElapsedTime(appends.Times[n].Sent, readAt).TotalMilliseconds);
    }
}

Console.WriteLine(
    $"subscribers={arguments.Subscribers} entities={arguments.Entities} deaf={arguments.Deaf} events={appends.Times.Count} deliveries={fromReply.Count} reads={subscribers.Sum(s => s.Reads) - readsBefore} missing={missing}");
Console.WriteLine($"from reply to arrival: {Shown(toArrival)}");
Console.WriteLine($"from reply to receipt: {Shown(fromReply)}");
Console.WriteLine($"from send to receipt: {Shown(fromSend)}");
if (arguments.Pid > 0)
{
    // Appends are in it; where few events go to many, they are little. Who else runs on the machine changes it far less than the times above.
    var (service, client) = (processorAfter.Service - processorBefore.Service, processorAfter.Client - processorBefore.Client);
    Console.WriteLine($"processor time a delivery: service {PerDelivery(service):0.0} us, client {PerDelivery(client):0.0} us");
    var perStream = (double)(memoryIdle - memoryBefore) / (arguments.Subscribers + arguments.Deaf);
    Console.WriteLine($"memory: {memoryBefore / 1024} MiB before, {memoryIdle / 1024} MiB with idle streams ({perStream:0.0} KiB each), {memoryAfter / 1024} MiB after");
}

return missing == 0 ? 0 : 1;

string NameOf(int index) => $"load-sub/{run}-{index}";

double PerDelivery(TimeSpan time) => time.TotalMicroseconds / Math.Max(fromReply.Count, 1);

static (TimeSpan Service, TimeSpan Client) ProcessorTimes(int pid)
{
    if (pid == 0) return default;
    using var service = Process.GetProcessById(pid);
    using var client = Process.GetCurrentProcess();
    return (service.TotalProcessorTime, client.TotalProcessorTime);
}

static string Shown(List<double> times)
{
    if (times.Count == 0) return "nothing came";
    times.Sort();
    return $"p50={times[times.Count / 2]:0.00} ms p99={times[times.Count * 99 / 100]:0.00} ms max={times[^1]:0.00} ms";
}

static long MemoryKb(int pid)
{
    if (pid == 0) return 0;
    var line = File.ReadLines($"/proc/{pid}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
    return long.Parse(line.AsSpan()["VmRSS:".Length..].Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture);
}
