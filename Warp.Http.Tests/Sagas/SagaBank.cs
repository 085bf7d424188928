using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Warp.Http.Erasure;
using Warp.Http.Events;
using Warp.Http.Sagas;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Sagas;

/// <summary>Accounts that may not be overdrawn, in one store, and sagas that move money between them, in one process after another.</summary>
internal sealed class SagaBank : IDisposable
{
    private const string Account = """
        {"initial":{"balance":0},"on":{"Credited":{"balance":"state.balance + payload.amount"},"Debited":{"balance":"state.balance - payload.amount"}},
         "invariants":[{"rule":"state.balance >= 0","message":"insufficient funds"}],"defaultForKind":"user"}
        """;

    private readonly StoreFixture _fixture;
    private readonly List<SagaService> _processes = [];

    private readonly int _inFlight;
    private readonly TimeProvider _time;

    public SagaBank(string directory, int shards = 1, int inFlight = 1000, TimeProvider? time = null)
    {
        (_inFlight, _time) = (inFlight, time ?? TimeProvider.System);
        _fixture = new StoreFixture(StoreFixture.Small(directory, shards: shards));
        _fixture.Definitions.Put("Account", Encoding.UTF8.GetBytes(Account));
        Restart();
    }

    public StoreFixture Store => _fixture;

    public Faults Faults { get; private set; } = null!;

    public SagaService Sagas { get; private set; } = null!;

    /// <summary>The process before is left as it is; whatever it waits for, nothing of it goes on.</summary>
    public void Restart()
    {
        Faults = new Faults(_fixture.Registry.AppendAsync);
        Sagas = new SagaService(
            _fixture.Registry, _fixture.Store, new SagaOptions { InFlight = _inFlight }, new Limits(), _time, NullLogger.Instance, Faults.AppendAsync);
        _processes.Add(Sagas);
    }

    public async Task RecoverAsync()
    {
        await Sagas.RecoverAsync(CancellationToken.None);
        await Eventually.BecomesTrueAsync("every saga has ended", async () => (await Sagas.ListAsync(SagaResult.Running, default, 1, default)).Sagas.Count == 0
            && (await Sagas.ListAsync(SagaResult.Compensating, default, 1, default)).Sagas.Count == 0, TimeSpan.FromSeconds(60));
    }

    public async Task CreditAsync(string account, int amount) =>
        (await _fixture.AppendAsync(account, new TestEvent("Credited", $$"""{"amount":{{amount}}}"""))).Status.ShouldBe(AppendStatus.Appended);

    public async Task<SagaResult?> StartAsync(string id, params SagaStep[] steps)
    {
        var answer = await Sagas.StartAsync(id, steps, TimeSpan.FromSeconds(60), wait: true);
        answer.Kind.ShouldBe(SagaAnswerKind.Saga, id);
        return answer.Saga!.Result;
    }

    /// <summary>Ends when the erasure is complete, which takes its time where the machine is busy.</summary>
    public async Task<EraseReceipt> EraseAsync(string account)
    {
        var receipt = (await _fixture.EraseAsync(account))!;
        await Eventually.BecomesTrueAsync(
            $"the erasure of {account} is complete",
            async () => (receipt = (await _fixture.Erasure.FindReceiptAsync(receipt.ReceiptId, CancellationToken.None))!).Complete, TimeSpan.FromSeconds(60));
        return receipt;
    }

    public static SagaStep Debit(string account, int amount) => Step(account, "Debited", "Credited", amount);

    public static SagaStep Credit(string account, int amount) => Step(account, "Credited", "Debited", amount);

    public async Task<int> BalanceAsync(string account) =>
        await _fixture.StateAsync(account, "Account") is { } state ? JsonDocument.Parse(state).RootElement.GetProperty("balance").GetInt32() : 0;

    /// <summary>What the histories of the accounts hold of sagas, and what the sagas say: every promise that is broken.</summary>
    public async Task<List<string>> AuditAsync(IReadOnlyList<string> accounts)
    {
        var broken = new List<string>();
        var found = new Dictionary<(string Saga, int Step), (int Actions, int Compensations)>();
        foreach (var account in accounts)
        {
            if (await _fixture.HistoryAsync(account) is not { } history) continue;
            if (await BalanceAsync(account) < 0) broken.Add($"{account} is overdrawn");
            foreach (var e in history.Where(e => !string.IsNullOrEmpty(e.Metadata)))
            {
                using var metadata = JsonDocument.Parse(e.Metadata!);
                var key = (metadata.RootElement.GetProperty("saga").GetString()!, metadata.RootElement.GetProperty("step").GetInt32());
                var (actions, compensations) = found.GetValueOrDefault(key);
                found[key] = e.Payload.Contains("\"undo\"", StringComparison.Ordinal) ? (actions, compensations + 1) : (actions + 1, compensations);
            }
        }

        var sagas = (await Sagas.ListAsync(null, default, int.MaxValue - 1, default)).Sagas;
        foreach (var key in found.Keys.Where(key => sagas.All(saga => saga.Id != key.Saga))) broken.Add($"{key} is of no saga");
        foreach (var saga in sagas) broken.AddRange(Audit(saga, found).Select(what => $"{saga.Id} is {saga.Result}: {what}"));
        foreach (var saga in sagas)
        {
            var ends = (await _fixture.HistoryAsync($"warp.saga/{saga.Id}"))!.Count(e => e.Type is "Ended" or "Retried");
            if (ends % 2 != 1) broken.Add($"{saga.Id} ended {ends} times");
        }

        return broken;
    }

    public void Dispose()
    {
        _fixture.Dispose();
        foreach (var process in _processes) process.Dispose();
    }

    private IEnumerable<string> Audit(SagaState saga, Dictionary<(string Saga, int Step), (int Actions, int Compensations)> found)
    {
        if (!saga.HasEnded) yield return "it has not ended";
        for (var i = 0; i < saga.Steps.Length; i++)
        {
            if (Sagas.Parties.IsErased(saga.Steps[i].Party)) continue;
            var (actions, compensations) = found.GetValueOrDefault((saga.Id, i));
            if (actions > 1 || compensations > 1) yield return $"step {i} was done {actions} times, undone {compensations} times";
            if (saga.Result == SagaResult.Committed && (actions != 1 || compensations != 0)) yield return $"step {i} was done {actions} times, undone {compensations} times";
            if (saga.Result == SagaResult.Compensated && actions != compensations) yield return $"step {i} was done {actions} times, undone {compensations} times";
        }
    }

    private static SagaStep Step(string account, string action, string compensation, int amount) => new(
        StoreFixture.Bytes(account), default, 1,
        new StepEvent(StoreFixture.Bytes(action), StoreFixture.Bytes($$"""{"amount":{{amount}}}""")),
        new StepEvent(StoreFixture.Bytes(compensation), StoreFixture.Bytes($$"""{"amount":{{amount}},"undo":true}""")));
}
