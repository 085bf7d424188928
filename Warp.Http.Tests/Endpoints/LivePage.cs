using System.Globalization;
using System.Text.Json;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>What tests of the page <c>/live</c> share: a service of their own, and the browser that opens its page.</summary>
public abstract class LivePage(SharedBrowser shared) : IClassFixture<SharedBrowser>, IAsyncDisposable
{
    protected const string IsLive = "document.getElementById('status').dataset.state === 'live'";

    private protected WarpApp App { get; } = new();

    private protected Browser Browser => shared.Browser;

    public async ValueTask DisposeAsync()
    {
        await App.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private protected Task OpenAsync(Uri address, string query) => Browser.NavigateAsync(new Uri(address, "/live" + query));

    private protected Task RowsBecomeAsync(int count) => Browser.BecomesTrueAsync($"document.querySelectorAll('#events li').length === {count}");

    private protected async Task<List<string>> TextsAsync(string selector)
    {
        var texts = await Browser.EvaluateAsync($"[...document.querySelectorAll('#events {selector}')].map(e => e.textContent)");
        return [.. texts.EnumerateArray().Select(text => text.GetString()!)];
    }

    private protected async Task AppendAsync(string entity, string type, string payload) =>
        (await App.PostAsync($"/v1/entities/{entity}/events", $$"""{"type":{{JsonSerializer.Serialize(type)}},"payload":{{payload}}}""")).ShouldBe(201);

    /// <summary>For who wants to see it: <c>WARP_TEST_SCREENSHOTS</c> names a directory.</summary>
    private protected async Task LookAsync(string what)
    {
        if (Environment.GetEnvironmentVariable("WARP_TEST_SCREENSHOTS") is not { Length: > 0 } directory) return;
        foreach (var (width, height, isDark) in new[] { (1200, 800, false), (390, 844, false), (1200, 800, true) })
        {
            await Browser.SetSizeAsync(width, height, isDark);
            await Browser.ScreenshotAsync(Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"live-{what}-{width}-{(isDark ? "dark" : "light")}.png")));
        }
    }
}
