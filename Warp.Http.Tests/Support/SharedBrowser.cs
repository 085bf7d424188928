namespace Warp.Http.Tests.Support;

/// <summary>One for all tests of a class: to start it takes longer than most of them. Each opens the page of a service of its own.</summary>
public sealed class SharedBrowser : IAsyncLifetime
{
    private Browser? _browser;

    internal Browser Browser
    {
        get
        {
            if (_browser is null) Assert.Skip("There is no Chromium on this machine.");
            return _browser;
        }
    }

    public async ValueTask InitializeAsync()
    {
        if (Support.Browser.Executable is not null) _browser = await Support.Browser.StartAsync();
    }

    public ValueTask DisposeAsync() => _browser?.DisposeAsync() ?? ValueTask.CompletedTask;
}
