using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Subscriptions;

/// <summary>Defects at the seam between disk and tail that the tests of disconnecting readers must notice.</summary>
public sealed class SubscriptionMutantTests
{
    private const int RunsMax = 6;

    private const string Disconnects = "*Whoever_leaves_and_comes_back_gets_every_event_once_and_in_order";

    [Fact]
    public async Task A_session_that_attaches_after_its_last_read_is_noticed() => await IsNoticedAsync(
        mutant => mutant.MakeBodyReturn("Warp.Http.Subscriptions.SubscriptionSession", "CloseSeamAsync"));

    [Fact]
    public async Task A_session_that_sends_again_what_it_read_from_disk_is_noticed() => await IsNoticedAsync(
        mutant => mutant.MakeBodyReturn("Warp.Http.Subscriptions.FeedSession", "WasSent", false));

    [Fact]
    public async Task A_subscriber_that_goes_on_live_after_it_lagged_is_noticed() => await IsNoticedAsync(
        mutant => mutant.MakeBodyReturn("Warp.Http.Subscriptions.Subscriber", "BecomeLagging", false));

    /// <summary>Where a reader stands when it is cut is left to chance, so one run may miss a defect.</summary>
    private static async Task IsNoticedAsync(Action<AssemblyMutant> edit)
    {
        using var mutant = AssemblyMutant.OfService();
        edit(mutant);
        for (var run = 0; run < RunsMax; run++)
            if (!await TestsUnderMutant.PassesAsync(mutant, Disconnects)) return;
        Assert.Fail($"The test passes {RunsMax} times with the defect.");
    }
}
