using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>Files outside of shards: each byte of them changed is noticed at the start, with a message that names the file, or changes nothing.</summary>
public sealed class SmallFilesDamageTests : IDisposable
{
    private static readonly Limits Bounds = new();
    private readonly TempDirectory _directory = new("small-files");

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("manifest.json")]
    [InlineData("keys/names.key")]
    public void A_changed_byte_in_the_manifest_or_the_key_is_noticed_or_without_effect(string name)
    {
        var options = StoreFixture.Small(_directory.Path, shards: 3);
        ulong id;
        byte[] secret;
        using (var directory = DataDirectory.Open(options, TimeProvider.System)) (id, secret) = (directory.StoreId, directory.NameSecret);
        var without = new StoreOptions { DataDirectory = _directory.Path };
        var file = _directory.File(name);
        var (noticed, harmless) = (0, 0);
        foreach (var _ in Changed(file, every: 1))
        {
            try
            {
                using var opened = DataDirectory.Open(without, TimeProvider.System);
                (opened.StoreId, opened.Shards).ShouldBe((id, 3));
                opened.NameSecret.ShouldBe(secret);
                harmless++;
            }
            catch (DataDirectoryException e)
            {
                e.Message.ShouldContain(file);
                noticed++;
            }
        }

        noticed.ShouldBeGreaterThan(harmless);
        using var whole = DataDirectory.Open(options, TimeProvider.System);
        whole.StoreId.ShouldBe(id);
    }

    [Fact]
    public void A_key_of_another_store_is_refused()
    {
        using (DataDirectory.Open(StoreFixture.Small(_directory.File("one")), TimeProvider.System)) { }
        using (DataDirectory.Open(StoreFixture.Small(_directory.File("other")), TimeProvider.System)) { }
        File.Copy(_directory.File("other/keys/names.key"), _directory.File("one/keys/names.key"), overwrite: true);
        Should.Throw<DataDirectoryException>(() => DataDirectory.Open(StoreFixture.Small(_directory.File("one")), TimeProvider.System))
            .Message.ShouldContain("belongs to another store");
    }

    [Fact]
    public void A_changed_byte_in_the_definitions_is_noticed_or_without_effect()
    {
        Directory.CreateDirectory(_directory.Path);
        using (var catalog = Open())
        {
            catalog.Put("Account", """{"initial":{"balance":0},"otherwise":"merge"}"""u8).Status.ShouldBe(PutStatus.Created);
            catalog.Put("Account", """{"initial":{"balance":1},"otherwise":"merge"}"""u8).Status.ShouldBe(PutStatus.Replaced);
            catalog.Put("Gone", """{"initial":{},"otherwise":"merge"}"""u8).Status.ShouldBe(PutStatus.Created);
            catalog.Delete("Gone").Status.ShouldBe(DeleteStatus.Deleted);
        }

        var expected = Content();
        var (noticed, harmless) = (0, 0);
        var file = _directory.File(AggregateCatalog.FileName);
        foreach (var (at, mask) in Changed(file, every: TestRun.Rounds("WARP_TEST_EVERY_BYTE", 0) > 0 ? 1 : 5))
        {
            try
            {
                Content().ShouldBe(expected, $"byte {at} ^ {mask}");
                harmless++;
            }
            catch (DefinitionStoreException e)
            {
                e.Message.ShouldContain(file);
                noticed++;
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{noticed} noticed, {harmless} without effect.");
        noticed.ShouldBeGreaterThan(0);
        Content().ShouldBe(expected);
    }

    private AggregateCatalog Open() => AggregateCatalog.Open(_directory.Path, Bounds, TimeProvider.System);

    private string Content()
    {
        using var catalog = Open();
        return string.Join('\n', catalog.Current.All.SelectMany(entry => catalog.ReadVersions(entry.Name).Versions.Select(v => $"{entry.Name} {v.Version} {v}").Append($"{entry}")));
    }

    /// <summary>The file with a byte changed at a time, in one bit or in all; where not each is, fewer where nothing is written. Whole again at the end.</summary>
    private static IEnumerable<(int At, byte Mask)> Changed(string file, int every)
    {
        var whole = File.ReadAllBytes(file);
        var random = TestRun.Random();
        try
        {
            for (var at = random.Next(every); at < whole.Length; at += whole[at] == 0 && every > 1 ? 16 * every : every)
            {
                var mask = random.Next(3) == 0 ? (byte)0xff : (byte)(1 << random.Next(8));
                byte[] changed = [.. whole];
                changed[at] ^= mask;
                File.WriteAllBytes(file, changed);
                yield return (at, mask);
            }
        }
        finally
        {
            File.WriteAllBytes(file, whole);
        }
    }
}
