using Warp.Http.Events;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>
/// A closed store with runs and journals, made once, and what was told of it after each append; tests copy it and damage the copy.
/// </summary>
public sealed class SampleStore : IAsyncLifetime
{
    private const int Entities = 5;
    private const int SealedAppends = 30;
    private const int JournalAppends = 14;

    private readonly TempDirectory _directory = new("sample");

    internal string Path => _directory.File("data");

    internal static string ShardPath(string data) => System.IO.Path.Combine(data, "shards", "000");

    /// <summary>The histories after each append since the last seal: the first before any of them.</summary>
    internal List<Dictionary<string, List<StoredEvent>>> AfterEachRow { get; } = [];

    internal Dictionary<string, List<StoredEvent>> Final => AfterEachRow[^1];

    public async ValueTask InitializeAsync()
    {
        var random = new Random(4711);
        using var fixture = new StoreFixture(StoreFixture.Small(Path, durability: Warp.Http.Storage.Durability.Fsync));
        for (var i = 0; i < SealedAppends; i++)
        {
            await AppendAsync(fixture, random, i);
            if (i % 10 == 9) await fixture.SealAsync();
        }

        AfterEachRow.Add(await ReadAsync(fixture));
        for (var i = 0; i < JournalAppends; i++)
        {
            await AppendAsync(fixture, random, SealedAppends + i);
            AfterEachRow.Add(await ReadAsync(fixture));
        }
    }

    public ValueTask DisposeAsync()
    {
        _directory.Dispose();
        return ValueTask.CompletedTask;
    }

    internal void CopyTo(string destination) => Copy(Path, destination);

    internal static void Copy(string source, string destination)
    {
        Directory.CreateDirectory(destination);
        foreach (var directory in Directory.EnumerateDirectories(source))
            Copy(directory, System.IO.Path.Combine(destination, System.IO.Path.GetFileName(directory)));
        foreach (var file in Directory.EnumerateFiles(source))
        {
            if (System.IO.Path.GetFileName(file) == "lock") continue; // held by the store that is open, and empty
            // Read through a handle that shares everything: a store that is open, as before a crash, is copied as well.
            using var from = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var to = File.Create(System.IO.Path.Combine(destination, System.IO.Path.GetFileName(file)));
            from.CopyTo(to);
        }
    }

    /// <summary>Everything that the store answers about the sample's entities.</summary>
    internal static async Task<Dictionary<string, List<StoredEvent>>> ReadAsync(StoreFixture fixture)
    {
        var histories = new Dictionary<string, List<StoredEvent>>(StringComparer.Ordinal);
        foreach (var name in await fixture.ListAsync()) histories[name] = (await fixture.HistoryAsync(name))!;
        foreach (var i in Enumerable.Range(0, Entities).Select(i => $"sample/{i}"))
            if (await fixture.HistoryAsync(i) is { } history) histories.TryAdd(i, history);
        return histories;
    }

    internal static void ShouldBeEqual(
        Dictionary<string, List<StoredEvent>> actual, Dictionary<string, List<StoredEvent>> expected, string context)
    {
        actual.Keys.Order(StringComparer.Ordinal).ShouldBe(expected.Keys.Order(StringComparer.Ordinal), context);
        foreach (var (name, history) in expected)
            if (!actual[name].SequenceEqual(history)) throw new ShouldAssertException($"{context}: {name} has other events.");
    }

    private static async Task AppendAsync(StoreFixture fixture, Random random, int i)
    {
        var events = Enumerable.Range(0, random.Next(1, 4))
            .Select(j => new TestEvent(
                $"Type{random.Next(3)}",
                $$"""{"n":{{i}},"text":"{{new string('x', random.Next(200))}}"}""",
                Id: i % 3 == 0 ? $"id-{i}-{j}" : null)).ToArray();
        var append = new TestAppend($"sample/{random.Next(Entities)}", events, Key: i % 3 == 1 ? $"key-{i}" : null);
        (await fixture.AppendAsync(append)).Status.ShouldBe(AppendStatus.Appended);
    }
}
