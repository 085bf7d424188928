using Warp.Http.Sagas;
using Warp.Http.Tests.Recovery;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Sagas;

/// <summary>Many sagas at once, while one append in ten fails for a moment, parties are erased, and processes end.</summary>
public sealed class SagaFaultTests(ITestOutputHelper output) : IDisposable
{
    private const int Clients = 16;
    private const int Accounts = 40;
    private const int Opening = 60;
    private readonly TempDirectory _directory = TempDirectory.InMemory("saga-faults");
    private int _serial;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task With_one_append_in_ten_failing_for_a_moment_money_is_conserved_and_nothing_doubled()
    {
        var random = new Random(RecoveryTests.Seed());
        using var bank = await OpenAsync(random);

        var results = await TransferAsync(bank, random.Next(), RecoveryTests.Number("WARP_TEST_SAGAS") ?? 600, []);

        output.WriteLine($"{bank.Faults.Failed} of {bank.Faults.Sent} appends failed; {string.Join(", ", results.GroupBy(r => r).Select(g => $"{g.Count()} {g.Key}"))}");
        bank.Faults.Failed.ShouldBeGreaterThan(100);
        (await bank.AuditAsync(Names)).ShouldBeEmpty();
        (await SumAsync(bank)).ShouldBe(Accounts * Opening);
        results.ShouldContain(SagaResult.Committed);
        results.ShouldContain(SagaResult.Compensated);
        results.ShouldNotContain(SagaResult.Stuck);
    }

    [Fact]
    public async Task Sagas_whose_parties_are_erased_amid_them_undo_the_others_and_leave_nothing_of_the_erased()
    {
        var random = new Random(RecoveryTests.Seed());
        using var bank = await OpenAsync(random);
        var erased = Names.Take(Accounts / 4).ToList();

        var transfers = TransferAsync(bank, random.Next(), RecoveryTests.Number("WARP_TEST_SAGAS") ?? 600, erased);
        foreach (var account in erased)
        {
            await Task.Delay(random.Next(15)); // not a wait for anything: the moment is the test
            await bank.EraseAsync(account);
        }

        var results = await transfers;
        output.WriteLine($"{bank.Faults.Failed} of {bank.Faults.Sent} appends failed; {string.Join(", ", results.GroupBy(r => r).Select(g => $"{g.Count()} {g.Key}"))}");
        (await bank.AuditAsync(Names)).ShouldBeEmpty();
        results.ShouldNotContain(SagaResult.Stuck);
        foreach (var account in erased)
        {
            Remains.Of(_directory.File("data"), account).ShouldBeEmpty($"{account} is erased");
            (await bank.EraseAsync(account)).Stores["sagas"].ShouldBeOneOf("erased", "none");
        }
    }

    [Fact]
    public async Task Processes_that_end_amid_many_sagas_leave_each_to_be_ended_once()
    {
        var random = new Random(RecoveryTests.Seed());
        using var bank = await OpenAsync(random);
        for (var process = 0; process < 8; process++)
        {
            bank.Faults.CrashAt(random.Next(20, 400), random.Next(2) == 0);
            _ = TransferAsync(bank, random.Next(), 200, []); // nobody waits for a process that ends
            var faults = bank.Faults;
            await Eventually.BecomesTrueAsync("the process ends", () => faults.HasCrashed, TimeSpan.FromSeconds(60));
            await faults.QuietAsync();
            bank.Restart();
            if (random.Next(2) == 0) bank.Faults.FailSome(random);
            await bank.RecoverAsync();
        }

        (await bank.AuditAsync(Names)).ShouldBeEmpty();
        (await SumAsync(bank)).ShouldBe(Accounts * Opening);
    }

    private static IReadOnlyList<string> Names { get; } = [.. Enumerable.Range(0, Accounts).Select(i => $"user/account-{i:D3}-holder")];

    private async Task<SagaBank> OpenAsync(Random random)
    {
        var bank = new SagaBank(_directory.File("data"), shards: 2);
        foreach (var name in Names) await bank.CreditAsync(name, Opening);
        bank.Faults.FailSome(random);
        await bank.Sagas.RecoverAsync(CancellationToken.None);
        return bank;
    }

    /// <param name="favoured">Accounts that take part in every second transfer.</param>
    private async Task<List<SagaResult>> TransferAsync(SagaBank bank, int seed, int transfers, List<string> favoured)
    {
        var clients = Enumerable.Range(0, Clients).Select(client => Task.Run(async () =>
        {
            var random = new Random(seed + client);
            var results = new List<SagaResult>();
            for (var i = 0; i < transfers / Clients; i++)
            {
                var from = favoured.Count > 0 && random.Next(2) == 0 ? favoured[random.Next(favoured.Count)] : Names[random.Next(Accounts)];
                var (to, amount) = (Names[random.Next(Accounts)], random.Next(1, 50));
                SagaStep[] steps = random.Next(2) == 0
                    ? [SagaBank.Debit(from, amount), SagaBank.Credit(to, amount)]
                    : [SagaBank.Debit(Names[random.Next(Accounts)], 1), SagaBank.Debit(from, amount), SagaBank.Credit(to, amount + 1)];
                if (await bank.StartAsync($"t-{Interlocked.Increment(ref _serial)}", steps) is { } result) results.Add(result);
            }

            return results;
        }));
        return [.. (await Task.WhenAll(clients)).SelectMany(results => results)];
    }

    private static async Task<int> SumAsync(SagaBank bank)
    {
        var sum = 0;
        foreach (var account in Names) sum += await bank.BalanceAsync(account);
        return sum;
    }
}
