using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Warp.Http.Entities;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Sagas;

/// <summary>What is written down of the sagas that have not ended: little, and enough for a start to read little.</summary>
public sealed class OpenSagasTests : IDisposable
{
    private readonly TempDirectory _directory = new("open-sagas");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task What_is_open_is_written_down_when_much_has_changed_or_a_while_ago()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        using var bank = new SagaBank(_directory.File("data"), time: time);
        await bank.Sagas.RecoverAsync(CancellationToken.None);
        for (var i = 0; i < 20; i++)
        {
            await bank.StartAsync($"s-{i}", SagaBank.Credit($"user/{i}", 1));
            await bank.Sagas.Open.WriteIfDueAsync();
        }

        (await WrittenAsync(bank)).ShouldBe(1, "before the first saga");
        for (var i = 0; i < 3; i++)
        {
            time.Advance(TimeSpan.FromMinutes(10));
            await bank.Sagas.Open.WriteIfDueAsync();
        }

        (await WrittenAsync(bank)).ShouldBe(2, "nothing changed after the second time");
    }

    [Fact]
    public async Task A_start_goes_through_names_that_are_no_sagas_once()
    {
        using var bank = new SagaBank(_directory.File("data"));
        await bank.RecoverAsync();
        await bank.StartAsync("s", SagaBank.Credit("user/a", 1));
        for (var i = 0; i < 100; i++) await bank.CreditAsync($"user/{i}", 1);

        bank.Restart();
        await bank.RecoverAsync();
        await bank.Sagas.Open.WriteIfChangedAsync();

        using var page = await ReadAsync(bank);
        using var written = JsonDocument.Parse(page.GetEvent(0).Fields.Payload.ToArray());
        written.RootElement.GetProperty("after")[0].GetInt64().ShouldBeGreaterThan(100);
        written.RootElement.GetProperty("open").GetArrayLength().ShouldBe(0);
    }

    private static async Task<long> WrittenAsync(SagaBank bank)
    {
        using var page = await ReadAsync(bank);
        return page.GetEvent(0).Seq;
    }

    private static async Task<HistoryPage> ReadAsync(SagaBank bank)
    {
        var found = await bank.Store.Registry.FindAsync("warp.sagas/open"u8.ToArray(), CancellationToken.None);
        return await found.Actor!.ReadAsync(1, long.MaxValue, descending: true, 1, 1 << 20, CancellationToken.None);
    }
}
