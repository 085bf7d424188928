using Warp.Http.Aggregates;
using Warp.Http.Projections;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Projections;

public sealed class ProjectorTests : IAsyncLifetime
{
    private const string Account = """
        {"initial":{"balance":0},"on":{"Credited":{"balance":"state.balance + payload.amount"},"Named":{"name":"payload.name"}},"defaultForKind":"user"}
        """;

    private const string Accounts = """
        {"kind":"user","table":"accounts","columns":{"id":"entity.id","balance":"state.balance","name":"state.name","seq":"entity.seq"},
         "types":{"balance":"REAL"},"indexes":[["balance"],["name","id"]]}
        """;

    private const string Select = "SELECT id, balance, name, seq FROM accounts ORDER BY id";

    private readonly TempDirectory _directory = new("projector");
    private ProjectionFixture _fixture = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await new ProjectionFixture(StoreFixture.Small(_directory.File("data"), shards: 2)).StartAsync();
        _fixture.DefineAggregate("Account", Account);
    }

    public async ValueTask DisposeAsync()
    {
        await _fixture.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_table_holds_the_state_of_each_entity_before_and_after_it_was_defined()
    {
        await CreditAsync("user/alice", 1, 2);
        await _fixture.DefineAsync("accounts", Accounts);
        await CreditAsync("user/bob", 0.5m);
        await CreditAsync("order/1", 7);
        await CreditAsync("user/alice", 4);
        await AppendAsync("user/bob", "Named", """{"name":"Bob"}""");

        (await RowsAsync()).ShouldBe(["alice|7|NULL|3", "bob|0.5|Bob|2"]);
        _fixture.Select("SELECT typeof(balance), typeof(seq), typeof(name) FROM accounts WHERE id = 'alice'").ShouldBe(["real|integer|null"]);
    }

    [Fact]
    public async Task A_table_of_events_has_a_row_an_event_with_the_state_after_it()
    {
        await CreditAsync("user/alice", 1, 2);
        await _fixture.DefineAsync("credits", """
            {"kind":"user","aggregate":"Account","source":"event","table":"credits","columns":{"id":"entity.id","seq":"event.seq","type":"event.type","amount":"payload.amount","balance":"state.balance"}}
            """);
        await CreditAsync("user/alice", 4);
        await AppendAsync("user/alice", "Else", "{}", "Other");

        (await _fixture.RowsAsync("credits", "SELECT * FROM credits ORDER BY seq")).ShouldBe(["alice|1|Credited|1|1", "alice|2|Credited|2|3", "alice|3|Credited|4|7"]);
    }

    [Fact]
    public async Task Events_of_every_aggregate_have_a_row_where_none_is_named()
    {
        await _fixture.DefineAsync("all", """{"source":"event","table":"everything","columns":{"entity":"entity.kind + '/' + entity.id","type":"event.type"}}""");
        await CreditAsync("user/alice", 1);
        await AppendAsync("order/1", "Placed", "{}", "Order");
        await AppendAsync("warp.own/1", "Hidden", "{}");

        (await _fixture.RowsAsync("all", "SELECT * FROM everything ORDER BY 1")).ShouldBe(["order/1|Placed", "user/alice|Credited"]);
    }

    [Fact]
    public async Task Over_all_kinds_entities_with_an_event_of_the_aggregate_have_a_row()
    {
        await CreditAsync("user/alice", 1);
        await AppendAsync("order/1", "Placed", "{}");
        await AppendAsync("shop/1", "Credited", """{"amount":3}""", "Account");
        await _fixture.DefineAsync("accounts", """{"aggregate":"Account","table":"accounts","columns":{"id":"entity.id","balance":"state.balance"}}""");

        (await _fixture.RowsAsync("accounts", "SELECT * FROM accounts ORDER BY balance")).ShouldBe(["alice|1", "1|3"]);
    }

    [Fact]
    public async Task Values_take_the_column_s_type_and_what_does_not_fit_is_parked()
    {
        await _fixture.DefineAsync("types", """
            {"kind":"thing","table":"things","columns":{"id":"entity.id","t":"state.v","n":"has(state.n) ? state.n : null","r":"has(state.n) ? state.n : null","any":"state.v"},"types":{"t":"TEXT","n":"INTEGER","r":"REAL"}}
            """);
        foreach (var (id, state) in ((string, string)[])[
            ("a", """{"v":1.50,"n":9223372036854775807}"""), ("b", """{"v":[1,{"x":"ß"}],"n":-3.0}"""), ("c", """{"v":true,"n":false}"""), ("d", """{"v":"text","n":2.5}"""),
            ("e", """{"n":9223372036854775808}"""), ("f", """{"v":null,"n":"7"}"""), ("g", "{}")])
            await AppendAsync($"thing/{id}", "Set", state);

        (await _fixture.RowsAsync("types", "SELECT id, t, n, r, any, typeof(any) FROM things ORDER BY id")).ShouldBe([
            "a|1.50|9223372036854775807|9.223372036854776E+18|1.5|real", "b|[1,{\"x\":\"ß\"}]|-3|-3|[1,{\"x\":\"ß\"}]|text", "c|true|0|0|1|integer", "g|NULL|NULL|NULL|NULL|null"]);
        var failed = await FailedAsync("types");
        failed.Count.ShouldBe(3);
        failed.First.Select(row => row.Name).Order(StringComparer.Ordinal).ShouldBe(["thing/d", "thing/e", "thing/f"]);
        failed.First.Single(row => row.Name == "thing/d").Error.ShouldBe("Column n: 2.5 is no whole number of 64 bits.");
    }

    [Fact]
    public async Task A_row_that_fails_is_taken_out_listed_and_comes_back_with_the_next_event()
    {
        await _fixture.DefineAsync("ratios", """{"kind":"pair","table":"ratios","columns":{"id":"entity.id","ratio":"state.a / state.b"}}""");
        await AppendAsync("pair/1", "Set", """{"a":1,"b":2}""");
        await AppendAsync("pair/2", "Set", """{"a":1,"b":4}""");
        (await _fixture.RowsAsync("ratios", "SELECT * FROM ratios ORDER BY id")).ShouldBe(["1|0.5", "2|0.25"]);

        await AppendAsync("pair/1", "Set", """{"b":0}""");
        (await _fixture.RowsAsync("ratios", "SELECT * FROM ratios ORDER BY id")).ShouldBe(["2|0.25"]);
        var failed = (await FailedAsync("ratios")).First.ShouldHaveSingleItem();
        (failed.Name, failed.Seq).ShouldBe(("pair/1", 2));
        failed.Error.ShouldContain("state.a / state.b");
        await _fixture.RestartAsync();
        await AppendAsync("pair/1", "Set", """{"b":8}""");

        (await _fixture.RowsAsync("ratios", "SELECT * FROM ratios ORDER BY id")).ShouldBe(["1|0.125", "2|0.25"]);
        (await FailedAsync("ratios")).Count.ShouldBe(0);
    }

    [Fact]
    public async Task A_history_that_does_not_fold_is_parked_until_the_aggregate_is_mended()
    {
        await _fixture.DefineAsync("accounts", Accounts);
        await CreditAsync("user/alice", 1);
        await AppendAsync("user/bob", "Credited", "{}");
        await CreditAsync("user/bob", 1);
        (await RowsAsync()).ShouldBe(["alice|1|NULL|1"]);
        var failed = (await FailedAsync("accounts")).First;
        failed.ShouldHaveSingleItem().Seq.ShouldBe(2, "the last event after which there was no row");

        _fixture.DefineAggregate("Account", Account.Replace("payload.amount", "(has(payload.amount) ? payload.amount : 100)", StringComparison.Ordinal));

        await Eventually.BecomesTrueAsync("the table is built by the new version", () => _fixture.Select("SELECT count(*) FROM accounts")[0] == "2", TimeSpan.FromSeconds(30));
        (await RowsAsync()).ShouldBe(["alice|1|NULL|1", "bob|101|NULL|2"]);
        (await FailedAsync("accounts")).Count.ShouldBe(0);
    }

    [Fact]
    public async Task After_a_restart_it_goes_on_where_it_was()
    {
        await _fixture.DefineAsync("accounts", Accounts);
        for (var i = 0; i < 50; i++) await CreditAsync($"user/{i % 10}", 1);
        (await RowsAsync()).Count.ShouldBe(10);
        var table = _fixture.Select("SELECT name, pos FROM warp_checkpoint")[0];
        await _fixture.StopAsync();
        await CreditAsync("user/3", 5);
        await CreditAsync("user/11", 1);

        await _fixture.StartAsync();

        var rows = await RowsAsync();
        rows.Count.ShouldBe(11);
        rows.Contains("3|10|NULL|6", StringComparer.Ordinal).ShouldBeTrue(string.Join('\n', rows));
        _fixture.Select("SELECT name FROM warp_checkpoint")[0].ShouldBe(table[..table.IndexOf('|')], "the table is the same");
        _fixture.Projector.Find("accounts")!.Describe().Rebuild.ShouldBeNull();
    }

    [Fact]
    public async Task An_erased_entity_has_no_row_and_a_new_life_has_its_own()
    {
        await _fixture.DefineAsync("accounts", Accounts);
        await CreditAsync("user/alice", 1, 2);
        await CreditAsync("user/bob", 3);
        (await RowsAsync()).Count.ShouldBe(2);
        var erased = await _fixture.Log.EraseAsync("user/alice");
        (await RowsAsync()).ShouldBe(["bob|3|NULL|1"]);
        await _fixture.Log.AppendAsync(new TestAppend("user/alice", [new TestEvent("Credited", """{"amount":9}""")], Recreate: true));

        (await RowsAsync()).ShouldBe(["alice|9|NULL|1", "bob|3|NULL|1"]);
        await Eventually.BecomesTrueAsync("nothing of it is left in a file", async () =>
        {
            var shard = _fixture.Log.Store.ShardOf("user/alice"u8);
            shard.Tombstones.TryFind(Guid.ParseExact(erased!.ReceiptId, "N"), out var tombstone).ShouldBeTrue();
            return await _fixture.Projector.DescribeAsync(shard.Index, tombstone, default) == "erased";
        });
    }

    [Fact]
    public async Task A_new_version_is_built_beside_the_old_table_and_takes_its_place()
    {
        await _fixture.DefineAsync("accounts", Accounts);
        for (var i = 0; i < 30; i++) await CreditAsync($"user/{i}", i);
        (await RowsAsync()).Count.ShouldBe(30);

        (await _fixture.PutAsync("accounts", Accounts.Replace("REAL", "INTEGER", StringComparison.Ordinal).Replace("\"accounts\"", "\"renamed\"", StringComparison.Ordinal))).Status.ShouldBe(PutStatus.Replaced);

        await Eventually.BecomesTrueAsync("the new table is shown", () => _fixture.Select("SELECT count(*) FROM sqlite_master WHERE name = 'renamed'")[0] == "1", TimeSpan.FromSeconds(30));
        (await _fixture.RowsAsync("accounts", "SELECT count(*), typeof(max(balance)) FROM renamed")).ShouldBe(["30|integer"]);
        _fixture.Select("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'warp_accounts%'").ShouldBeEmpty("the old table is gone");
        _fixture.Select("SELECT count(*) FROM warp_checkpoint").ShouldBe(["1"]);
        (await _fixture.PutAsync("accounts", Accounts)).Status.ShouldBe(PutStatus.Replaced);
        (await _fixture.PutAsync("accounts", Accounts)).Status.ShouldBe(PutStatus.Unchanged);
    }

    [Fact]
    public async Task A_table_of_another_projection_or_of_nobody_is_refused()
    {
        await _fixture.DefineAsync("accounts", Accounts);
        (await _fixture.PutAsync("other", Accounts.Replace("\"accounts\"", "\"Accounts\"", StringComparison.Ordinal))).Taken.ShouldBe("The table Accounts is the projection accounts's.");
        SqliteFile.Execute(_fixture.TablesPath, "CREATE TABLE mine(x TEXT)");
        (await _fixture.PutAsync("other", Accounts.Replace("\"accounts\"", "\"mine\"", StringComparison.Ordinal))).Taken.ShouldNotBeNull();
        _fixture.Projector.Find("other").ShouldBeNull();

        (await _fixture.Projector.DeleteAsync("accounts", default)).ShouldBeTrue();
        (await _fixture.Projector.DeleteAsync("accounts", default)).ShouldBeFalse();

        _fixture.Select("SELECT name FROM sqlite_master WHERE name LIKE '%accounts%'").ShouldBeEmpty();
        _fixture.Select("SELECT count(*) FROM mine").ShouldBe(["0"]);
        (await _fixture.PutAsync("other", Accounts)).Status.ShouldBe(PutStatus.Created);
    }

    [Fact]
    public async Task One_entity_is_projected_anew_alone()
    {
        await _fixture.DefineAsync("accounts", Accounts);
        await _fixture.DefineAsync("credits", """{"kind":"user","source":"event","table":"credits","columns":{"id":"entity.id","amount":"payload.amount"}}""");
        await CreditAsync("user/alice", 1, 2);
        await CreditAsync("user/bob", 3);
        (await RowsAsync()).Count.ShouldBe(2);
        (await _fixture.RowsAsync("credits", "SELECT count(*) FROM credits")).ShouldBe(["3"]);
        foreach (var table in _fixture.Select("SELECT name FROM warp_checkpoint")) SqliteFile.Execute(_fixture.TablesPath, $"UPDATE {table} SET id = 'broken'");
        SqliteFile.Execute(_fixture.TablesPath, $"DELETE FROM {_fixture.Select("SELECT name FROM warp_checkpoint WHERE projection = 'credits'")[0]} WHERE amount = 2");

        var alice = await _fixture.Log.ActorAsync("user/alice");
        await _fixture.Projector.Find("accounts")!.ReprojectAsync(alice.Name, alice.Life, alice.DurableSeq);
        await _fixture.Projector.Find("credits")!.ReprojectAsync(alice.Name, alice.Life, alice.DurableSeq);

        (await RowsAsync()).ShouldBe(["alice|3|NULL|2", "broken|3|NULL|1"]);
        _fixture.Select("SELECT id, amount FROM credits ORDER BY amount").ShouldBe(["alice|1", "alice|2", "broken|3"]);
        await CreditAsync("user/alice", 4);
        (await RowsAsync())[0].ShouldBe("alice|7|NULL|3");
    }

    [Fact]
    public async Task A_table_that_was_lost_is_made_again()
    {
        await _fixture.DefineAsync("accounts", Accounts);
        await CreditAsync("user/alice", 1, 2);
        (await RowsAsync()).Count.ShouldBe(1);
        await _fixture.StopAsync();
        foreach (var file in Directory.GetFiles(Path.GetDirectoryName(_fixture.TablesPath)!, "projections.db*")) File.Delete(file);

        await _fixture.StartAsync();

        await Eventually.BecomesTrueAsync("the table is there", () => File.Exists(_fixture.TablesPath) && _fixture.Projector.Find("accounts")!.Table is not null, TimeSpan.FromSeconds(30));
        (await RowsAsync()).ShouldBe(["alice|3|NULL|2"]);
    }

    [Fact]
    public async Task Two_aggregates_that_claim_the_kind_stop_a_projection_that_names_none()
    {
        await _fixture.DefineAsync("accounts", Accounts);
        await CreditAsync("user/alice", 1);
        (await RowsAsync()).Count.ShouldBe(1);

        _fixture.DefineAggregate("Rival", """{"defaultForKind":"user"}""");
        await Eventually.BecomesTrueAsync("it says so", () => _fixture.Projector.Troubles.Count == 1);
        _fixture.Projector.Troubles[0].ShouldContain("Account and Rival both claim the kind user");
        _fixture.Log.Definitions.Delete("Rival");

        (await RowsAsync()).Count.ShouldBe(1);
        _fixture.Projector.Troubles.ShouldBeEmpty();
    }

    private Task<List<string>> RowsAsync() => _fixture.RowsAsync("accounts", Select);

    private async Task<FailedRows> FailedAsync(string name) => await _fixture.Projector.ReadFailedAsync(_fixture.Projector.Find(name)!, default);

    private async Task CreditAsync(string entity, params decimal[] amounts)
    {
        foreach (var amount in amounts) await AppendAsync(entity, "Credited", $$"""{"amount":{{amount.ToString(System.Globalization.CultureInfo.InvariantCulture)}}}""");
    }

    private async Task AppendAsync(string entity, string type, string payload, string? aggregate = null) =>
        (await _fixture.Log.AppendAsync(entity, new TestEvent(type, payload, Aggregate: aggregate))).Status.ShouldBe(Warp.Http.Events.AppendStatus.Appended);
}
