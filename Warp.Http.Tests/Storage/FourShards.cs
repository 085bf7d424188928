using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>A closed store of four shards, each with runs and a journal, made once; tests copy it.</summary>
public sealed class FourShards : IAsyncLifetime
{
    private const int Names = 40;
    private readonly TempDirectory _directory = new("four");

    internal string Path => _directory.File("data");

    internal Dictionary<string, int> Counts { get; } = new(StringComparer.Ordinal);

    internal int Events => Counts.Values.Sum();

    internal int Entities => Counts.Count;

    /// <summary>Opens a copy; nothing is verified or sealed of itself.</summary>
    internal static StoreFixture Open(string data, Action<StoreStep>? atStep = null) => new(new StoreOptions
    {
        DataDirectory = data,
        Shards = 4,
        Durability = Durability.Fsync,
        SealBytes = 64 * 1024,
        SealAfter = TimeSpan.FromHours(1),
        FreeBytesMin = 0,
        VerifyAtStartBytes = 0,
        AtStep = atStep,
    });

    /// <returns>The copy's directory, as given.</returns>
    internal string CopyTo(string directory)
    {
        SampleStore.Copy(Path, directory);
        return directory;
    }

    public async ValueTask InitializeAsync()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(Path, shards: 4, sealBytes: 64 * 1024));
        for (var round = 0; round < 3; round++)
        {
            for (var i = 0; i < Names * (round + 1) / 3; i++)
            {
                var entity = $"four/{i}";
                var events = Enumerable.Range(0, 3).Select(n => new TestEvent(
                    "Moved", $$"""{"n":{{n}},"pad":"{{new string('x', 200)}}"}""", n == 1 ? $"id-{round}-{n}" : null)).ToArray();
                (await fixture.AppendAsync(entity, events)).LastSeq.ShouldBe(Counts.GetValueOrDefault(entity) + 3);
                Counts[entity] = Counts.GetValueOrDefault(entity) + 3;
            }

            if (round < 2) await SealAsync(fixture.Store);
        }
    }

    public ValueTask DisposeAsync()
    {
        _directory.Dispose();
        return ValueTask.CompletedTask;
    }

    private static async Task SealAsync(Store store)
    {
        foreach (var shard in store.AllShards.ToArray())
        {
            var before = shard.Views.Current.Active;
            before.IsEmpty.ShouldBeFalse("names fall into every shard");
            await Eventually.BecomesTrueAsync("the memtable is sealed", () =>
            {
                if (ReferenceEquals(shard.Views.Current.Active, before)) shard.Enqueue(new StoreFixture.Rotation());
                return !shard.Views.Current.Memtables.Contains(before);
            }, TimeSpan.FromSeconds(30));
        }
    }
}
