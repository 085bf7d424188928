namespace Warp.Http.Tests.Support;

public sealed class WarpProcessTests
{
    [Fact]
    public async Task A_service_that_ends_before_it_is_ready_fails_at_once_and_shows_what_it_wrote()
    {
        using var data = new TempDirectory("start");
        var options = new WarpProcessOptions(data.Path)
        {
            Environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["ASPNETCORE_URLS"] = "not-an-address" },
        };

        var failure = await Should.ThrowAsync<InvalidOperationException>(() => WarpProcess.StartAsync(options));

        failure.Message.ShouldContain("before it was ready");
        failure.Message.ShouldContain("not-an-address");
    }

    [Fact]
    public async Task A_killed_service_is_gone_when_the_call_returns()
    {
        using var data = new TempDirectory("kill");
        await using var service = WarpProcess.Launch(new WarpProcessOptions(data.Path));

        await service.Kill9Async();

        service.HasExited.ShouldBeTrue();
        (await service.ExitedAsync(TimeSpan.FromSeconds(1))).ShouldBe(128 + 9);
    }

    [Fact]
    public async Task Waiting_in_vain_says_for_what()
    {
        var failure = await Should.ThrowAsync<TimeoutException>(
            () => Eventually.BecomesTrueAsync("the moon is cheese", () => false, TimeSpan.FromMilliseconds(30)));

        failure.Message.ShouldContain("the moon is cheese");
    }
}
