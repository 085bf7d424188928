using System.Diagnostics;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace Warp.Http.Tests.Support;

/// <summary>
/// A page in a headless Chromium, driven by its DevTools protocol: navigate, evaluate, look. A dozen calls, which a driver with a runtime
/// of its own would not make shorter. One caller at a time.
/// </summary>
internal sealed class Browser : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly TempDirectory _profile;
    private readonly ClientWebSocket _socket = new();
    private readonly BoundedLog _log = new();
    private int _lastCall;

    private Browser(Process process, TempDirectory profile) => (_process, _profile) = (process, profile);

    /// <summary>Where it is on this machine; null = there is none, and its tests are skipped.</summary>
    public static string? Executable { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .SelectMany(directory => new[] { "chromium", "chromium-browser", "google-chrome" }.Select(name => Path.Combine(directory, name)))
        .FirstOrDefault(File.Exists);

    /// <summary>Errors that the page met: exceptions, and what its content security policy refused.</summary>
    public List<string> Errors { get; } = [];

    public static async Task<Browser> StartAsync()
    {
        var profile = new TempDirectory("browser");
        var start = new ProcessStartInfo(Executable!, ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--remote-debugging-port=0", $"--user-data-dir={profile.File("profile")}", "about:blank"])
        {
            UseShellExecute = false,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        var browser = new Browser(new Process { StartInfo = start }, profile);
        try
        {
            await browser.ConnectAsync();
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    public async Task NavigateAsync(Uri address)
    {
        await CallAsync("Page.navigate", new { url = address.ToString() });
        await BecomesTrueAsync("document.readyState === 'complete'");
    }

    /// <summary>The value of an expression, or of the promise that it is.</summary>
    public async Task<JsonElement> EvaluateAsync(string expression)
    {
        var answer = await CallAsync("Runtime.evaluate", new { expression, awaitPromise = true, returnByValue = true });
        if (answer.TryGetProperty("exceptionDetails", out var failed)) throw new InvalidOperationException($"{expression}: {failed.GetRawText()}");
        return answer.GetProperty("result").TryGetProperty("value", out var value) ? value : default;
    }

    public async Task BecomesTrueAsync(string expression)
    {
        try
        {
            await Eventually.BecomesTrueAsync(expression, async () => (await EvaluateAsync(expression)).ValueKind == JsonValueKind.True, s_patience);
        }
        catch (TimeoutException late)
        {
            var text = await EvaluateAsync("document.body.innerText");
            throw new TimeoutException($"{late.Message} The page shows:\n{text}\n{string.Join('\n', Errors)}", late);
        }
    }

    public async Task SetSizeAsync(int width, int height, bool isDark)
    {
        await CallAsync("Emulation.setDeviceMetricsOverride", new { width, height, deviceScaleFactor = 1, mobile = width < 600 });
        await CallAsync("Emulation.setEmulatedMedia", new { features = new[] { new { name = "prefers-color-scheme", value = isDark ? "dark" : "light" } } });
    }

    public async Task ScreenshotAsync(string path) =>
        await File.WriteAllBytesAsync(path, (await CallAsync("Page.captureScreenshot", new { format = "png" })).GetProperty("data").GetBytesFromBase64());

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        _profile.Dispose();
    }

    private async Task ConnectAsync()
    {
        var listening = new TaskCompletionSource<Uri>(TaskCreationOptions.RunContinuationsAsynchronously);
        _process.ErrorDataReceived += (_, line) =>
        {
            _log.Add(line.Data);
            if (line.Data?.IndexOf("ws://", StringComparison.Ordinal) is >= 0 and var at) listening.TrySetResult(new Uri(line.Data[at..]));
        };
        _process.OutputDataReceived += (_, line) => _log.Add(line.Data);
        _process.Start();
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        Uri browser;
        try
        {
            browser = await listening.Task.WaitAsync(s_patience);
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"The browser does not listen. It wrote:\n{_log}", late);
        }

        using var http = new HttpClient { BaseAddress = new Uri($"http://{browser.Authority}") };
        JsonElement page = default;
        await Eventually.BecomesTrueAsync("the browser has a page", async () =>
        {
            page = (await http.GetFromJsonAsync<JsonElement>("/json/list")).EnumerateArray().FirstOrDefault(target => target.GetProperty("type").ValueEquals("page"));
            return page.ValueKind == JsonValueKind.Object;
        }, s_patience);
        await _socket.ConnectAsync(new Uri(page.GetProperty("webSocketDebuggerUrl").GetString()!), CancellationToken.None);
        await CallAsync("Page.enable", new { });
        await CallAsync("Runtime.enable", new { });
        await CallAsync("Log.enable", new { });
    }

    private async Task<JsonElement> CallAsync(string method, object parameters)
    {
        using var limit = new CancellationTokenSource(s_patience);
        var id = ++_lastCall;
        await _socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(new { id, method, @params = parameters }), WebSocketMessageType.Text, endOfMessage: true, limit.Token);
        while (true)
        {
            var message = await ReceiveAsync(limit.Token);
            if (message.TryGetProperty("id", out var answered) && answered.GetInt32() == id)
                return message.TryGetProperty("result", out var result) ? result : throw new InvalidOperationException($"{method}: {message.GetRawText()}");
            if (message.TryGetProperty("method", out var name)) Note(name.GetString()!, message.GetProperty("params"));
        }
    }

    private void Note(string method, JsonElement parameters)
    {
        if (method is "Runtime.exceptionThrown") Errors.Add(parameters.GetRawText());

        // A connection that breaks is logged, too, and is what some tests are about.
        if (method is "Log.entryAdded" && parameters.GetProperty("entry").GetProperty("source").ValueEquals("security")) Errors.Add(parameters.GetRawText());
    }

    private async Task<JsonElement> ReceiveAsync(CancellationToken cancellation)
    {
        using var message = new MemoryStream();
        var buffer = new byte[64 * 1024];
        ValueWebSocketReceiveResult received;
        do
        {
            received = await _socket.ReceiveAsync(buffer.AsMemory(), cancellation);
            await message.WriteAsync(buffer.AsMemory(0, received.Count), cancellation);
        }
        while (!received.EndOfMessage);

        return JsonDocument.Parse(Encoding.UTF8.GetString(message.ToArray())).RootElement;
    }
}
