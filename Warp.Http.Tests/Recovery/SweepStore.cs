using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>Everything that a store answers about one entity.</summary>
internal sealed record EntityTruth(
    string Name, int Shard, EntityPresence Presence, List<StoredEvent>? History, string? Default, string? Account, EntityDescription? Description);

/// <summary>
/// A closed store of four shards with runs, journals, erasures and definitions, made once, and all that it answered before it was closed.
/// </summary>
public sealed class SweepStore : IAsyncLifetime
{
    public const int Shards = 4;
    private const int Entities = 48;
    private const int Rounds = 5;
    private const string Definition = """{"initial":{"balance":0},"otherwise":"merge"}""";

    private readonly TempDirectory _directory = TempDirectory.InMemory("sweep");
    private readonly List<(TestAppend Append, AppendOutcome Outcome)> _withIds = [];
    private string _definitions = "";

    public string Path => _directory.File("data");

    internal List<EntityTruth> Truth { get; } = [];

    internal List<string> Listed { get; private set; } = [];

    internal static StoreFixture Open(string data) =>
        new(StoreFixture.Small(data, durability: Durability.Fsync, shards: Shards));

    public async ValueTask InitializeAsync()
    {
        var random = new Random(815);
        using var store = Open(Path);
        store.Definitions.Put("Account", System.Text.Encoding.UTF8.GetBytes(Definition)).Status.ShouldBe(PutStatus.Created);
        for (var round = 0; round < Rounds; round++)
        {
            for (var i = 0; i < Entities; i++) await AppendAsync(store, random, Name(i), round);
            if (round == 1) (await store.EraseAsync(Name(3)))!.Complete.ShouldBeTrue();
            if (round < Rounds - 1)
                foreach (var shard in store.Store.AllShards.ToArray()) await SealAsync(shard);
        }

        Listed = await store.ListAsync();
        _definitions = Definitions(store);
        foreach (var name in Enumerable.Range(0, Entities + 2).Select(Name)) Truth.Add(await AskAsync(store, name));
        Truth.Select(truth => truth.Shard).Distinct().Count().ShouldBe(Shards);
        Truth.Select(truth => truth.Presence).Distinct().Count().ShouldBe(3, "alive, erased and never heard of");
    }

    public ValueTask DisposeAsync()
    {
        _directory.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>The files, each with the shard it belongs to; -1 is the whole store.</summary>
    internal List<(string Name, int Shard)> Files() =>
        [.. Directory.EnumerateFiles(Path, "*", SearchOption.AllDirectories)
            .Where(file => new FileInfo(file).Length > 0)
            .Select(file => System.IO.Path.GetRelativePath(Path, file)).Order(StringComparer.Ordinal)
            .Select(name => (name, name.StartsWith("shards", StringComparison.Ordinal) ? int.Parse(name.Split('/')[1]) : -1))];

    internal void CopyTo(string target) => SampleStore.Copy(Path, target);

    /// <summary>The first answer that is not the one that was given before, or null.</summary>
    /// <exception cref="ShardUnavailableException">A shard took itself out of service on being asked.</exception>
    internal async Task<string?> FirstWrongAnswerAsync(StoreFixture store, Func<int, bool> isServing)
    {
        foreach (var truth in Truth.Where(truth => isServing(truth.Shard)))
        {
            var answer = await AskAsync(store, truth.Name);
            if (Difference(answer, truth) is { } difference) return $"{truth.Name} has another {difference}";
        }

        if (Enumerable.Range(0, Shards).All(isServing) && !(await store.ListAsync()).SequenceEqual(Listed, StringComparer.Ordinal)) return "the list is another one";

        if (Definitions(store) != _definitions) return "the definitions are others";

        // Last, because a wrong answer here is an event that stands twice.
        foreach (var (append, outcome) in _withIds.Where(sent => isServing(sent.Outcome.Life.Shard)))
        {
            var again = await store.AppendAsync(append);
            if (again.Status == AppendStatus.Unavailable) throw new ShardUnavailableException("The shard took itself out of service.");
            if ((again.Status, again.FirstSeq) != (AppendStatus.Replayed, outcome.FirstSeq)) return $"a replay in {append.Entity} is {again.Status}";
        }

        return null;
    }

    private static string Definitions(StoreFixture store) => string.Join('\n', store.Definitions.ReadVersions("Account").Versions
        .Select(version => $"{version.Version} {version.WrittenAtMs} {System.Text.Encoding.UTF8.GetString(version.Source.Span)}"));

    private static string Name(int i) => $"sweep/entity-{i}";

    private async Task AppendAsync(StoreFixture store, Random random, string entity, int round)
    {
        var events = Enumerable.Range(0, random.Next(1, 4)).Select(i => new TestEvent(
            $"Type{random.Next(3)}", $$"""{"round":{{round}},"balance":{{random.Next(100)}},"text":"{{new string('x', random.Next(300))}}"}""",
            Id: random.Next(3) == 0 ? $"id-{round}-{i}" : null, Aggregate: random.Next(2) == 0 ? "Account" : null)).ToArray();
        var append = new TestAppend(entity, events, Key: events.All(e => e.Id is null) && random.Next(2) == 0 ? $"key-{round}" : null);
        var outcome = await store.AppendAsync(append);
        if (outcome.Status == AppendStatus.Erased) return;
        outcome.Status.ShouldBe(AppendStatus.Appended);
        if ((append.Key is not null || events.All(e => e.Id is not null)) && entity != Name(3)) _withIds.Add((append, outcome));
    }

    private static async Task<EntityTruth> AskAsync(StoreFixture store, string name)
    {
        var shard = store.Store.ShardOf(StoreFixture.Bytes(name)).Index;
        var found = await store.FindAsync(name);
        if (found.Actor is not { } actor) return new EntityTruth(name, shard, found.Presence, null, null, null, null);
        return new EntityTruth(
            name, shard, found.Presence, await store.HistoryAsync(name), await store.StateAsync(name), await store.StateAsync(name, "Account"),
            await actor.DescribeAsync(CancellationToken.None));
    }

    // Bytes are left out: an entity takes a few more in a run than in memory, and a start seals in the background.
    private static string? Difference(EntityTruth answer, EntityTruth truth)
    {
        if (answer.Presence != truth.Presence) return $"presence: {answer.Presence}";
        if (!(answer.History ?? []).SequenceEqual(truth.History ?? [])) return "history";
        if (answer.Default != truth.Default || answer.Account != truth.Account) return "state";
        return Described(answer) == Described(truth) ? null : "description";
    }

    private static string Described(EntityTruth answer) => answer.Description is { } description
        ? $"{description.Life} {description.Seq} {description.CreatedAtMs} {description.UpdatedAtMs} "
            + string.Join(',', description.Aggregates.Order(StringComparer.Ordinal))
        : "";

    private static async Task SealAsync(Shard shard)
    {
        var before = shard.Views.Current.Active;
        if (before.IsEmpty) return;
        await Eventually.BecomesTrueAsync("the shard is sealed", () =>
        {
            if (ReferenceEquals(shard.Views.Current.Active, before)) shard.Enqueue(new Rotation());
            return !shard.Views.Current.Memtables.Contains(before);
        }, TimeSpan.FromSeconds(30));
    }

    private sealed class Rotation : CommitItem
    {
        public Rotation() => Kind = CommitKind.Rotate;

        public override void Complete()
        {
        }
    }
}
