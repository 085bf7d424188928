using Microsoft.Extensions.Time.Testing;
using Warp.Http.Sagas;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Sagas;

/// <summary>A process that ends at each of a saga's appends, and another one that goes on.</summary>
public sealed class SagaCrashTests : IDisposable
{
    private readonly TempDirectory _directory = TempDirectory.InMemory("saga-crash");

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_saga_whose_process_ends_at_any_append_is_done_once(bool isLastStored)
    {
        using var bank = new SagaBank(_directory.File("data"));
        await bank.RecoverAsync();
        var accounts = new[] { "user/a", "user/b", "user/c" };
        foreach (var account in accounts) await bank.CreditAsync(account, 10_000);
        for (var at = 0; await IsCutAsync(bank, $"saga-{at}", at, isLastStored, SagaBank.Debit("user/a", 7), SagaBank.Credit("user/b", 3), SagaBank.Credit("user/c", 4)); at++)
        {
            await bank.RecoverAsync();
            (await bank.StartAsync($"saga-{at}", SagaBank.Debit("user/a", 7), SagaBank.Credit("user/b", 3), SagaBank.Credit("user/c", 4))).ShouldBe(SagaResult.Committed);
            (await bank.AuditAsync(accounts)).ShouldBeEmpty($"after append {at}");
            (await SumAsync(bank, accounts)).ShouldBe(30_000, $"after append {at}");
        }

        bank.Faults.Sent.ShouldBeGreaterThanOrEqualTo(8, "an append of each kind was cut");
    }

    /// <summary>Between the two processes the account is filled, so that what was refused would be accepted now.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_was_refused_once_is_not_done_after_all_beside_its_compensations(bool isLastStored)
    {
        using var bank = new SagaBank(_directory.File("data"));
        await bank.RecoverAsync();
        var accounts = new[] { "user/a", "user/b", "user/poor" };
        await bank.CreditAsync("user/a", 10_000);
        await bank.CreditAsync("user/b", 10_000);
        var steps = new[] { SagaBank.Debit("user/a", 7), SagaBank.Debit("user/b", 7), SagaBank.Debit("user/poor", 14), SagaBank.Credit("user/a", 28) };
        var sum = 20_000;
        var results = new HashSet<SagaResult?>();
        for (var at = 0; await IsCutAsync(bank, $"saga-{at}", at, isLastStored, steps); at++)
        {
            await bank.CreditAsync("user/poor", 14);
            await bank.RecoverAsync();
            results.Add(await bank.StartAsync($"saga-{at}", steps));
            (await bank.AuditAsync(accounts)).ShouldBeEmpty($"after append {at}");
            (await SumAsync(bank, accounts)).ShouldBe(sum += 14, $"after append {at}");
            if (await bank.BalanceAsync("user/poor") is > 0 and var left)
            {
                sum -= left;
                (await bank.StartAsync($"emptied-{at}", SagaBank.Debit("user/poor", left))).ShouldBe(SagaResult.Committed);
            }
        }

        results.ShouldBe([SagaResult.Committed, SagaResult.Compensated], ignoreOrder: true);
    }

    [Fact]
    public async Task A_stuck_saga_is_found_after_a_restart_and_can_be_retried()
    {
        using var bank = new SagaBank(_directory.File("data"));
        await bank.RecoverAsync();
        await bank.CreditAsync("user/a", 10);
        var spend = SagaBank.Debit("user/b", 5) with { Compensation = null };
        (await bank.StartAsync("stuck", SagaBank.Credit("user/b", 5), spend, SagaBank.Debit("user/a", 11))).ShouldBe(SagaResult.Stuck);
        await bank.Sagas.Open.WriteIfChangedAsync();
        for (var i = 0; i < 3; i++) (await bank.StartAsync($"fine-{i}", SagaBank.Credit("user/a", 1))).ShouldBe(SagaResult.Committed);

        bank.Restart();
        bank.Sagas.Trouble.ShouldBeNull();
        await bank.RecoverAsync();

        bank.Sagas.Trouble.ShouldNotBeNull().ShouldContain("1 saga is stuck");
        await bank.CreditAsync("user/b", 5);
        (await bank.Sagas.RetryAsync("stuck", wait: true)).Saga!.Result.ShouldBe(SagaResult.Compensated);
        bank.Sagas.Trouble.ShouldBeNull();
        bank.Restart();
        await bank.RecoverAsync();
        bank.Sagas.Trouble.ShouldBeNull();
        (await bank.AuditAsync(["user/a"])).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_saga_that_can_not_go_on_within_its_time_is_undone_and_says_why()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        using var bank = new SagaBank(_directory.File("data"), time: time);
        await bank.Sagas.RecoverAsync(CancellationToken.None);
        await bank.CreditAsync("user/a", 11);
        bank.Faults.RefuseEntity("user/b");

        var running = bank.Sagas.StartAsync("slow", [SagaBank.Debit("user/a", 5), SagaBank.Credit("user/b", 5)], TimeSpan.FromSeconds(30), wait: true).AsTask();
        await Eventually.BecomesTrueAsync(
            "the first step is done", async () => (await bank.Sagas.FindAsync("slow", CancellationToken.None))?.Steps[0].Status == StepStatus.Done, TimeSpan.FromSeconds(60));
        running.IsCompleted.ShouldBeFalse();
        time.Advance(TimeSpan.FromSeconds(30));
        await Eventually.BecomesTrueAsync("the saga gives up", () =>
        {
            time.Advance(TimeSpan.FromSeconds(1)); // an attempt may begin its pause only now
            return running.IsCompleted;
        }, TimeSpan.FromSeconds(60));
        var answer = await running;

        answer.Saga!.Result.ShouldBe(SagaResult.Compensated);
        answer.Saga.Steps[1].Refusal!.Value.Status.ShouldBe(Warp.Http.Events.AppendStatus.MailboxFull);
        (await bank.BalanceAsync("user/a")).ShouldBe(11);
        (await bank.AuditAsync(["user/a", "user/b"])).ShouldBeEmpty();
    }

    /// <summary>A step's entry is not awaited before the next action is sent: another shard, or a commit that failed between the two, may lose it alone.</summary>
    [Fact]
    public async Task An_action_is_undone_though_its_time_is_over_and_the_entry_of_the_step_before_is_lost()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow()); // the store, which says when the saga began, goes by the real clock
        using var bank = new SagaBank(_directory.File("data"), time: time);
        await bank.Sagas.RecoverAsync(CancellationToken.None);
        var accounts = new[] { "user/a", "user/b", "user/c" };
        foreach (var account in accounts) await bank.CreditAsync(account, 10);
        bank.Faults.LoseType("StepDone");
        var steps = new[] { SagaBank.Debit("user/a", 1), SagaBank.Debit("user/b", 2), SagaBank.Credit("user/c", 3) };
        _ = bank.Sagas.StartAsync("late", steps, TimeSpan.FromSeconds(30), wait: true).AsTask(); // its process never learns how it ended
        await Eventually.BecomesTrueAsync("the second action is stored", async () => await bank.BalanceAsync("user/b") == 8, TimeSpan.FromSeconds(60));
        await bank.Faults.QuietAsync();

        bank.Restart();
        time.Advance(TimeSpan.FromMinutes(30)); // however slow the machine was until here
        await bank.RecoverAsync();

        (await bank.AuditAsync(accounts)).ShouldBeEmpty();
        foreach (var account in accounts) (await bank.BalanceAsync(account)).ShouldBe(10);
    }

    [Fact]
    public async Task More_sagas_than_may_run_at_once_are_refused_and_one_that_runs_is_joined()
    {
        using var bank = new SagaBank(_directory.File("data"), inFlight: 1);
        await bank.RecoverAsync();
        (await bank.StartAsync("first", SagaBank.Credit("user/a", 1))).ShouldBe(SagaResult.Committed);
        bank.Faults.RefuseEntity("user/b");
        SagaStep[] slow = [SagaBank.Credit("user/a", 1), SagaBank.Credit("user/b", 1)];
        var running = bank.Sagas.StartAsync("slow", slow, TimeSpan.FromSeconds(60), wait: true).AsTask();
        await Eventually.BecomesTrueAsync("the saga runs", async () => (await bank.Sagas.FindAsync("slow", CancellationToken.None))?.Steps[0].Status == StepStatus.Done, TimeSpan.FromSeconds(60));

        (await bank.Sagas.StartAsync("second", [SagaBank.Credit("user/a", 1)], TimeSpan.FromSeconds(60), wait: true)).Kind.ShouldBe(SagaAnswerKind.TooMany);
        (await bank.Sagas.StartAsync("slow", [SagaBank.Credit("user/a", 2)], TimeSpan.FromSeconds(60), wait: true)).Kind.ShouldBe(SagaAnswerKind.OtherSteps);
        (await bank.Sagas.RetryAsync("slow", wait: true)).Kind.ShouldBe(SagaAnswerKind.NotStuck);
        var joined = bank.Sagas.StartAsync("slow", slow, TimeSpan.FromSeconds(60), wait: true).AsTask();
        bank.Faults.RefuseEntity("user/nobody");

        (await running).Saga!.Result.ShouldBe(SagaResult.Committed);
        (await joined).Saga!.Result.ShouldBe(SagaResult.Committed);
        (await bank.StartAsync("second", SagaBank.Credit("user/a", 1))).ShouldBe(SagaResult.Committed);
        (await bank.AuditAsync(["user/a", "user/b"])).ShouldBeEmpty();
    }

    /// <summary>One process begins the saga and ends at the given append. False if the saga needed fewer.</summary>
    private static async Task<bool> IsCutAsync(SagaBank bank, string id, int at, bool isLastStored, params SagaStep[] steps)
    {
        bank.Restart();
        await bank.Sagas.RecoverAsync(CancellationToken.None);
        bank.Faults.CrashAt(at, isLastStored);
        var started = bank.Sagas.StartAsync(id, steps, TimeSpan.FromSeconds(60), wait: true).AsTask();
        await Eventually.BecomesTrueAsync("the process has come to its end, or the saga", () => started.IsCompleted || bank.Faults.HasCrashed, TimeSpan.FromSeconds(60));
        if (started.IsCompleted) return false;
        await bank.Faults.QuietAsync();
        bank.Restart();
        return true;
    }

    private static async Task<int> SumAsync(SagaBank bank, IEnumerable<string> accounts)
    {
        var sum = 0;
        foreach (var account in accounts) sum += await bank.BalanceAsync(account);
        return sum;
    }
}
