using System.Text.Json;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Sagas;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Sagas;

/// <summary>What sagas know of a party goes with it; what they know of the others stays.</summary>
public sealed class SagaErasureTests : IDisposable
{
    private const string Canary = "canary-7d2e";
    private const string Alice = $"user/alice-{Canary}";
    private const string Bob = "user/bob-of-9183";
    private readonly TempDirectory _directory = TempDirectory.InMemory("saga-erasure");

    private string Data => _directory.File("data");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task An_erased_party_is_in_no_file_and_the_counterpartys_amount_is_there()
    {
        using var bank = new SagaBank(Data, shards: 2);
        await bank.RecoverAsync();
        await FillAsync(bank);
        Remains.Of(Data, Canary).ShouldNotBeEmpty("the search must find what is there");

        var receipt = await bank.EraseAsync(Alice);

        (receipt.Complete, receipt.Stores["sagas"]).ShouldBe((true, "erased"));
        Remains.Of(Data, Canary).ShouldBeEmpty();
        Remains.Of(Data, "\"amount\":8211").ShouldNotBeEmpty("bob's amount stays");
        var saga = (await bank.Sagas.FindAsync("paid", CancellationToken.None))!;
        saga.Result.ShouldBe(SagaResult.Committed);
        saga.Steps[0].Content.ShouldBeNull();
        JsonDocument.Parse(saga.Steps[1].Content!.Action.Payload).RootElement.GetProperty("amount").GetInt32().ShouldBe(8211);
        var refused = (await bank.Sagas.FindAsync("refused", CancellationToken.None))!;
        (refused.Result, refused.Steps[0].Content, refused.Steps[0].Status).ShouldBe((SagaResult.Compensated, null, StepStatus.Refused));
        bank.Store.Store.Troubles.ShouldBeEmpty();
    }

    [Fact]
    public async Task One_that_only_sagas_name_is_erased_too()
    {
        using var bank = new SagaBank(Data, shards: 2);
        await bank.RecoverAsync();
        (await bank.StartAsync("refused", SagaBank.Debit(Alice, 1) with { ExpectSeq = 5 })).ShouldBe(SagaResult.Compensated);
        (await bank.StartAsync("not-reached", SagaBank.Credit(Bob, 1), SagaBank.Debit(Bob, 2), SagaBank.Credit(Alice, 1))).ShouldBe(SagaResult.Compensated);
        Remains.Of(Data, Canary).ShouldNotBeEmpty("the search must find what is there");

        var receipt = await bank.EraseAsync(Alice);

        (receipt.Events, receipt.Complete, receipt.Stores["sagas"]).ShouldBe((0, true, "erased"));
        Remains.Of(Data, Canary).ShouldBeEmpty();
        foreach (var id in new[] { "refused", "not-reached" }) (await bank.Sagas.FindAsync(id, CancellationToken.None))!.Steps[^1].Content.ShouldBeNull(id);
        (await bank.EraseAsync(Alice)).ReceiptId.ShouldBe(receipt.ReceiptId, "once");
        (await bank.Store.AppendAsync(Alice, new TestEvent("Credited", """{"amount":1}"""))).Status.ShouldBe(AppendStatus.Erased);
        (await bank.StartAsync("late", SagaBank.Credit(Bob, 1), SagaBank.Credit(Alice, 1))).ShouldBe(SagaResult.Compensated);
        (await bank.Store.AppendAsync(new TestAppend(Alice, [new TestEvent("Credited", """{"amount":1}""")], Recreate: true))).FirstSeq.ShouldBe(1);
        (await bank.StartAsync("new", SagaBank.Credit(Alice, 1))).ShouldBe(SagaResult.Committed);
        (await bank.Store.EraseAsync("user/nobody")).ShouldBeNull("nothing names it");
        bank.Store.Store.Troubles.ShouldBeEmpty();
        (await bank.Store.Store.Verification.RunAsync()).Problems.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_crash_between_the_two_fences_is_made_up_for_by_the_next_start()
    {
        using var bank = new SagaBank(Data);
        await bank.RecoverAsync();
        await FillAsync(bank);
        var receipt = Guid.CreateVersion7();
        (await bank.Store.Registry.EraseAsync(StoreFixture.Bytes(Alice), receipt, isNamedElsewhere: false, CancellationToken.None)).ShouldBe(EraseStatus.Fenced);
        var before = (await bank.Store.Erasure.FindReceiptAsync(receipt.ToString("N"), CancellationToken.None))!;
        (before.Complete, before.Stores["sagas"]).ShouldBe((false, "erasing"));

        bank.Restart();
        await bank.RecoverAsync();

        await Eventually.BecomesTrueAsync(
            "the erasure is complete", async () => (await bank.Store.Erasure.FindReceiptAsync(receipt.ToString("N"), CancellationToken.None))!.Complete,
            TimeSpan.FromSeconds(60));
        Remains.Of(Data, Canary).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_saga_that_stopped_before_its_party_was_erased_undoes_the_others_and_never_touches_the_new_life()
    {
        using var bank = new SagaBank(Data);
        await bank.RecoverAsync();
        await bank.CreditAsync(Alice, 100);
        await bank.CreditAsync(Bob, 100);
        await bank.StartAsync("first", SagaBank.Credit(Bob, 1));
        bank.Faults.CrashAt(5, isStored: false); // three companions, the start, the first action; not the second
        _ = bank.Sagas.StartAsync("cut", [SagaBank.Debit(Bob, 10), SagaBank.Credit(Alice, 10), SagaBank.Credit("user/c", 0)], TimeSpan.FromSeconds(60), wait: true).AsTask();
        await Eventually.BecomesTrueAsync("the process ends", () => bank.Faults.HasCrashed, TimeSpan.FromSeconds(60));
        await bank.Faults.QuietAsync();
        await bank.EraseAsync(Alice);
        (await bank.Store.AppendAsync(new TestAppend(Alice, [new TestEvent("Credited", """{"amount":1}""")], Recreate: true))).FirstSeq.ShouldBe(1);

        bank.Restart();
        await bank.RecoverAsync();

        var saga = (await bank.Sagas.FindAsync("cut", CancellationToken.None))!;
        saga.Result.ShouldBe(SagaResult.Compensated);
        (await bank.BalanceAsync(Bob)).ShouldBe(101);
        (await bank.Store.HistoryAsync(Alice))!.Count.ShouldBe(1, "the new life was never touched");
        (await bank.AuditAsync([Bob, Alice, "user/c"])).ShouldBeEmpty();
        Remains.Of(Data, "alice-" + Canary).ShouldNotBeEmpty("the new life has the name");
    }

    /// <summary>A committed saga, one whose step alice refused by a condition and by a fold, and one with alice's first life unknown.</summary>
    private static async Task FillAsync(SagaBank bank)
    {
        await bank.StartAsync("born", SagaBank.Credit(Alice, 10_000));
        await bank.CreditAsync(Bob, 1);
        var paid = SagaBank.Debit(Alice, 8211);
        await bank.StartAsync("paid", paid with { Action = new StepEvent(paid.Action.Type, StoreFixture.Bytes($$"""{"amount":8211,"to":"{{Canary}}"}""")) }, SagaBank.Credit(Bob, 8211));
        (await bank.StartAsync("refused", SagaBank.Debit(Alice, 1) with { ExpectWhen = $"state.balance == 1 || \"{Canary}\" == \"\"" })).ShouldBe(SagaResult.Compensated);
        (await bank.StartAsync("unjudged", SagaBank.Debit(Alice, 1) with { ExpectWhen = $"state[\"{Canary}\"] > 1" })).ShouldBe(SagaResult.Compensated);
        var unjudged = (await bank.Sagas.FindAsync("unjudged", CancellationToken.None))!;
        unjudged.Steps[0].Refusal!.Value.Reason!.ToString()!.ShouldContain(Canary, Case.Sensitive, "what the fold said is kept while alice is there");
    }
}
