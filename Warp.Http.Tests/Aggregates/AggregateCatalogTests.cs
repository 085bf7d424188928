using System.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;
using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Tests.Aggregates;

public sealed class AggregateCatalogTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("catalog").FullName;
    private readonly FakeTimeProvider _time = new(DateTimeOffset.FromUnixTimeMilliseconds(1_000));

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void A_definition_is_created_replaced_and_left_alone_when_equal()
    {
        using var catalog = Open();
        var created = Put(catalog, "Account", """{"initial":{"a":1,"b":2}}""");
        (created.Status, created.Entry!.Version, created.Entry.UpdatedAtMs).ShouldBe((PutStatus.Created, 1, 1_000));
        _time.Advance(TimeSpan.FromSeconds(1));
        var unchanged = Put(catalog, "Account", """{ "initial": { "b": 2.0, "a": 1e0 } }""");
        unchanged.Status.ShouldBe(PutStatus.Unchanged);
        unchanged.Entry.ShouldBeSameAs(created.Entry);
        var replaced = Put(catalog, "Account", """{"initial":{"a":1}}""");
        (replaced.Status, replaced.Entry!.Version, replaced.Entry.CreatedAtMs, replaced.Entry.UpdatedAtMs).ShouldBe((PutStatus.Replaced, 2, 1_000, 2_000));
        catalog.Current.Find("Account").ShouldBeSameAs(replaced.Entry);
        catalog.Current.Find("Account"u8).ShouldBeSameAs(replaced.Entry);
        catalog.Current.Find("account").ShouldBeNull();
        catalog.ReadVersions("Account").Versions.Select(v => (v.Version, v.WrittenAtMs, Encoding.UTF8.GetString(v.Source.Span))).ShouldBe(
            [(2, 2_000, """{"initial":{"a":1}}"""), (1, 1_000, """{"initial":{"a":1,"b":2}}""")]);
    }

    [Fact]
    public void An_invalid_definition_changes_nothing()
    {
        using var catalog = Open();
        Put(catalog, "Account", "{}");
        var outcome = Put(catalog, "Account", """{"on":{"A":{"x":"1 +"}}}""");
        (outcome.Status, outcome.Entry).ShouldBe((PutStatus.Invalid, null));
        outcome.Errors.ShouldHaveSingleItem().Path.ShouldBe("$.on.A.x");
        catalog.Current.Find("Account")!.Version.ShouldBe(1);
    }

    [Fact]
    public void Definitions_are_there_after_a_restart()
    {
        using (var catalog = Open())
        {
            Put(catalog, "B", """{"defaultForKind":"user"}""");
            _time.Advance(TimeSpan.FromSeconds(5));
            Put(catalog, "A", "{}");
            Put(catalog, "B", """{"defaultForKind":"person"}""");
        }

        using var again = Open();
        again.Current.All.Select(entry => (entry.Name, entry.Version, entry.CreatedAtMs, entry.UpdatedAtMs))
            .ShouldBe([("A", 1, 6_000, 6_000), ("B", 2, 1_000, 6_000)]);
        again.Current.ResolveDefault("person"u8).Name.ShouldBe("B");
    }

    [Fact]
    public void What_was_written_is_there_though_the_process_was_not_closed()
    {
        var catalog = Open();
        Put(catalog, "A", "{}");
        var copy = Directory.CreateTempSubdirectory("catalog").FullName;
        foreach (var file in Directory.GetFiles(_directory)) File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        using (var killed = AggregateCatalog.Open(copy, new Limits(), _time)) killed.Current.Find("A").ShouldNotBeNull();
        catalog.Dispose();
        Directory.Delete(copy, recursive: true);
    }

    [Fact]
    public void A_deleted_name_goes_on_counting_when_it_is_defined_again()
    {
        using (var catalog = Open())
        {
            Put(catalog, "A", "{}");
            Put(catalog, "A", """{"strict":true}""");
            catalog.Delete("A").Status.ShouldBe(DeleteStatus.Deleted);
            catalog.Delete("A").Status.ShouldBe(DeleteStatus.NotDefined);
            catalog.Current.Find("A").ShouldBeNull();
            catalog.ReadVersions("A").Versions.ShouldBeEmpty();
        }

        using var again = Open();
        again.Current.All.ShouldBeEmpty();
        var recreated = Put(again, "A", """{"strict":true}""");
        (recreated.Status, recreated.Entry!.Version).ShouldBe((PutStatus.Created, 3));
        again.ReadVersions("A").Versions.ShouldHaveSingleItem().Version.ShouldBe(3);
    }

    [Fact]
    public void Events_without_an_aggregate_go_to_the_one_definition_that_claims_their_kind()
    {
        using var catalog = Open();
        catalog.Current.ResolveDefault("user"u8).ShouldBe(new DefaultAggregate("Default", null, null));
        var account = Put(catalog, "Account", """{"defaultForKind":"user"}""").Entry;
        catalog.Current.ResolveDefault("user"u8).ShouldBe(new DefaultAggregate("Account", account, null));
        catalog.Current.ResolveDefault("order"u8).Name.ShouldBe("Default");
        var byDefault = Put(catalog, "Default", "{}").Entry;
        catalog.Current.ResolveDefault("order"u8).Entry.ShouldBeSameAs(byDefault);
        Put(catalog, "Person", """{"defaultForKind":"user"}""");
        var ambiguous = catalog.Current.ResolveDefault("user"u8);
        (ambiguous.Name, ambiguous.Entry).ShouldBe(("", null));
        ambiguous.Conflict.ShouldBe(["Account", "Person"]);
        catalog.Delete("Account").Status.ShouldBe(DeleteStatus.Deleted);
        catalog.Current.ResolveDefault("user"u8).Name.ShouldBe("Person");
    }

    [Fact]
    public void A_damaged_file_is_named_with_what_to_do()
    {
        using (var catalog = Open())
            for (var i = 0; i < 50; i++) Put(catalog, $"A{i}", $"{{\"initial\":{{\"a\":\"{new string('x', 2000)}\"}}}}");
        var path = Path.Combine(_directory, AggregateCatalog.FileName);
        using (var file = File.OpenWrite(path))
        {
            file.Position = 4096 * 3;
            file.Write(new byte[4096 * 5]);
        }

        var error = Should.Throw<DefinitionStoreException>(() => Open());
        error.Message.ShouldContain(path);
        error.Message.ShouldContain("damaged");
        error.IsTransient.ShouldBeFalse();
        File.WriteAllText(path, "this is no database, but it is long enough to be looked at as one: " + new string('.', 1000));
        Should.Throw<DefinitionStoreException>(() => Open()).Message.ShouldContain("restore it from a backup");
    }

    [Fact]
    public void A_file_of_another_format_is_refused()
    {
        Open().Dispose();
        Execute("PRAGMA user_version = 7");
        Should.Throw<DefinitionStoreException>(() => Open()).Message.ShouldContain("have format 7; this version of the service reads format 2");
    }

    [Fact]
    public void A_locked_file_is_a_passing_trouble_and_nothing_is_lost()
    {
        using var catalog = Open(busySeconds: 1);
        Put(catalog, "A", "{}");
        using (var other = Connect())
        {
            Run(other, "BEGIN EXCLUSIVE");
            Should.Throw<DefinitionStoreException>(() => Put(catalog, "A", """{"strict":true}""")).IsTransient.ShouldBeTrue();
            catalog.Current.Find("A")!.Version.ShouldBe(1);
            Run(other, "ROLLBACK");
        }

        Put(catalog, "A", """{"strict":true}""").Entry!.Version.ShouldBe(2);
    }

    [Fact]
    public void Versions_are_read_newest_first_page_by_page_within_bytes()
    {
        using var catalog = Open();
        for (var i = 1; i <= 7; i++) Put(catalog, "A", $$"""{"initial":{"a":"{{new string('x', 1_000 * i)}}"} }""");
        Page(int.MaxValue, 3, long.MaxValue).ShouldBe("7,6,5 then 5");
        Page(5, 3, long.MaxValue).ShouldBe("4,3,2 then 2");
        Page(2, 3, long.MaxValue).ShouldBe("1 then ");
        Page(1, 3, long.MaxValue).ShouldBe(" then ");
        Page(int.MaxValue, 100, 100).ShouldBe("7 then 7", "one at least");
        Page(4, 100, 5_100).ShouldBe("3,2 then 2");

        string Page(int before, int countMax, long bytesMax)
        {
            var page = catalog.ReadVersions("A", before, countMax, bytesMax);
            return $"{string.Join(',', page.Versions.Select(v => v.Version))} then {page.Next}";
        }
    }

    [Fact]
    public async Task Versions_are_read_while_a_write_waits()
    {
        using var catalog = Open(busySeconds: 30);
        Put(catalog, "A", "{}");
        using var other = Connect();
        Run(other, "BEGIN IMMEDIATE");
        var put = Task.Run(() => Put(catalog, "A", """{"strict":true}"""), TestContext.Current.CancellationToken);

        catalog.ReadVersions("A").Versions.ShouldHaveSingleItem().Version.ShouldBe(1);
        put.IsCompleted.ShouldBeFalse();
        Run(other, "ROLLBACK");
        await put.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        catalog.ReadVersions("A").Versions.Count.ShouldBe(2);
    }

    [Fact]
    public void The_check_finds_damage_and_takes_no_passing_trouble_for_it()
    {
        using var catalog = Open(busySeconds: 1);
        Put(catalog, "A", "{}");
        catalog.Check().ShouldBeNull();
        using (var other = Connect())
        {
            Run(other, "BEGIN EXCLUSIVE");
            var locked = Should.Throw<StorageException>(() => catalog.Check(), "a locked file is not damaged, nor known to be whole");
            locked.IsTransient.ShouldBeTrue();
            locked.Message.ShouldNotContain(_directory);
            Run(other, "ROLLBACK");
            Run(other, "UPDATE definition SET written_ms = 7");
        }

        var damage = catalog.Check().ShouldNotBeNull();
        damage.ShouldContain("definitions.db is damaged");
        damage.ShouldNotContain(_directory);
    }

    /// <summary>The rule is the shards' own (<see cref="ReadFailure"/>): SQLITE_IOERR_CORRUPTFS is what a disk's EIO comes as.</summary>
    [Theory]
    [InlineData(10, 10 | (33 << 8), true)]
    [InlineData(11, 11, true)]
    [InlineData(26, 26, true)]
    [InlineData(10, 10 | (1 << 8), false)]
    [InlineData(13, 13, false)]
    [InlineData(14, 14, false)]
    public void What_the_disk_no_longer_gives_is_damage_and_what_passes_is_none(int code, int extended, bool isDamage)
    {
        var failure = DefinitionStoreException.Of("definitions.db", new SqliteException("The test says no.", code, extended));
        failure.IsDamage.ShouldBe(isDamage);
        failure.IsTransient.ShouldBe(!isDamage);
    }

    [Theory]
    [InlineData("A", true)]
    [InlineData("a.B_c-9", true)]
    [InlineData("", false)]
    [InlineData("9a", false)]
    [InlineData("a b", false)]
    [InlineData("ä", false)]
    [InlineData("a\n", false)]
    public void Names_follow_the_contract(string name, bool isValid) => (AggregateCatalog.NameError(name) is null).ShouldBe(isValid);

    [Fact]
    public void Names_have_at_most_64_characters()
    {
        AggregateCatalog.NameError(new string('a', 64)).ShouldBeNull();
        AggregateCatalog.NameError(new string('a', 65)).ShouldNotBeNull();
    }

    [Fact]
    public void What_was_accepted_is_read_again_under_tighter_limits()
    {
        using (var catalog = Open()) Put(catalog, "A", """{"on":{"Added":{"x":"1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9"}}}""").Status.ShouldBe(PutStatus.Created);
        using var tight = AggregateCatalog.Open(_directory, new Limits { ExpressionChars = 16, TypeChars = 2 }, _time);
        tight.Current.Find("A").ShouldNotBeNull();
    }

    private AggregateCatalog Open(int busySeconds = 5) => AggregateCatalog.Open(_directory, new Limits(), _time, busySeconds);

    private static PutOutcome Put(AggregateCatalog catalog, string name, string body) => catalog.Put(name, Encoding.UTF8.GetBytes(body));

    private void Execute(string sql)
    {
        using var connection = Connect();
        Run(connection, sql);
    }

    private SqliteConnection Connect()
    {
        var connection = new SqliteConnection($"Data Source={Path.Combine(_directory, AggregateCatalog.FileName)};Pooling=False");
        connection.Open();
        return connection;
    }

    private static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // Constant texts.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }
}
