using System.Diagnostics;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>What the program says and how it ends when it does not simply serve.</summary>
public sealed class StartTests
{
    [Fact]
    public async Task Help_and_version_are_printed()
    {
        var help = await RunAsync(["--help"]);
        (help.ExitCode, help.Error).ShouldBe((0, ""));
        help.Output.ShouldContain("Warp__DataDirectory");
        var version = await RunAsync(["--version"]);
        version.ExitCode.ShouldBe(0);
        version.Output.Trim().ShouldMatch(@"^\d+\.\d+\.\d+");
    }

    [Theory]
    [InlineData(2, "--port", "--port=80")]
    [InlineData(2, "serve", "serve")]
    [InlineData(2, "--urls", "--urls")]
    [InlineData(1, "Warp__Auth__Mode is not set", "--urls=http://0.0.0.0:0")]
    [InlineData(1, "Warp__Auth__Mode is not set", "--urls=http://localhost:0;http://+:0")]
    [InlineData(1, "not available", "--Warp:Auth:Mode=keys")]
    [InlineData(1, "\"open\"", "--Warp:Auth:Mode=open")]
    [InlineData(1, "Warp__Http2Url", "--Warp:Http2Url=nonsense")]
    [InlineData(1, "unknown BodyByte", "--Warp:Limits:BodyByte=1")]
    [InlineData(1, "JsonDepth", "--Warp:Limits:JsonDepth=1000")]
    [InlineData(1, "BodyBytes", "--Warp:Limits:BodyBytes=much")]
    [InlineData(1, "IdleTimeout", "--Warp:Stream:IdleTimeout=100ms")]
    [InlineData(1, "no unit", "--Warp:Stream:IdleTimeout=60")]
    [InlineData(1, "IdleTimeout", "--Warp:Stream:IdleTimeout=1ms --Warp:Subscriptions:SendTimeout=1ms")]
    [InlineData(1, "SendTimeout", "--Warp:Stream:IdleTimeout=1ms --Warp:Subscriptions:SendTimeout=1ms")]
    public async Task What_keeps_it_from_starting_is_said_without_a_stack_trace(int exitCode, string said, string arguments)
    {
        var run = await RunAsync(arguments.Split(' '));

        run.ExitCode.ShouldBe(exitCode, run.Output + run.Error);
        run.Error.ShouldContain(said);
        (run.Output + run.Error).ShouldNotContain("   at ");
    }

    [Fact]
    public async Task A_taken_address_is_said_in_a_line_and_health_asks_the_one_that_serves()
    {
        using var directory = new TempDirectory("start");
        await using var service = await WarpProcess.StartAsync(new WarpProcessOptions(directory.Path), TestContext.Current.CancellationToken);
        var url = service.Address.ToString();

        var second = await RunAsync([$"--urls={url}"]);
        second.ExitCode.ShouldBe(1);
        second.Error.ShouldContain("address already in use");
        (second.Output + second.Error).ShouldNotContain("   at ");

        (await RunAsync(["--health", $"--urls={url}"])).ExitCode.ShouldBe(0);
        (await RunAsync(["--health", $"--urls=http://localhost:{LoopbackPort.Free()}"])).ExitCode.ShouldBe(1);
    }

    [Fact]
    public async Task An_address_for_http2_joins_the_others()
    {
        using var directory = new TempDirectory("start");
        var port = LoopbackPort.Free();
        await using var service = await WarpProcess.StartAsync(
            new WarpProcessOptions(directory.Path) { Environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["Warp__Http2Url"] = $"http://127.0.0.1:{port}" } },
            TestContext.Current.CancellationToken);
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}"), DefaultRequestVersion = new Version(2, 0), DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };

        using var response = await client.GetAsync("/health/live", TestContext.Current.CancellationToken);

        response.Version.ShouldBe(new Version(2, 0));
        service.Output.ShouldContain(service.Address.ToString().TrimEnd('/'));
        service.Output.Split('\n').Count(l => l.Length > 0).ShouldBeLessThanOrEqualTo(2, service.Output);
    }

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(string[] arguments)
    {
        using var directory = new TempDirectory("start");
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Warp.Http.dll"), .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = directory.Path,
        };
        foreach (var name in start.Environment.Keys.Where(n => n.StartsWith("ASPNETCORE_", StringComparison.Ordinal) || n.StartsWith("Warp__", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromMinutes(2));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException late)
        {
            process.Kill();
            throw new TimeoutException($"{string.Join(' ', arguments)} still runs after 2 minutes.", late);
        }

        return (process.ExitCode, await output, await error);
    }
}
