using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

public sealed class DataDirectoryTests : IDisposable
{
    private readonly TempDirectory _directory = new("data");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_directory_in_use_is_refused()
    {
        using var first = new StoreFixture(StoreFixture.Small(_directory.Path));
        Should.Throw<DataDirectoryException>(() => new StoreFixture(StoreFixture.Small(_directory.Path))).Message.ShouldContain("in use");
    }

    [Fact]
    public void Another_number_of_shards_than_at_creation_is_refused()
    {
        using (new StoreFixture(StoreFixture.Small(_directory.Path, shards: 2))) { }
        Should.Throw<DataDirectoryException>(() => new StoreFixture(StoreFixture.Small(_directory.Path, shards: 3))).Message.ShouldContain(
            "Warp__Shards says 3");
        using var again = new StoreFixture(StoreFixture.Small(_directory.Path, shards: 2));
        again.Store.Shards.ShouldBe(2);
    }

    [Theory]
    [InlineData("keys/names.key")]
    [InlineData("manifest.json")]
    public void A_directory_without_its_secret_or_its_manifest_is_refused_and_not_made_anew(string missing)
    {
        using (new StoreFixture(StoreFixture.Small(_directory.Path))) { }
        File.Delete(_directory.File(missing));
        Should.Throw<DataDirectoryException>(() => new StoreFixture(StoreFixture.Small(_directory.Path)));
        File.Exists(_directory.File(missing)).ShouldBeFalse();
    }

    [Fact]
    public async Task A_damaged_shard_is_out_of_service_alone()
    {
        var entities = Enumerable.Range(0, 20).Select(i => $"user/{i}").ToList();
        using (var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, shards: 2)))
            foreach (var entity in entities) (await fixture.AppendAsync(entity, new TestEvent("Created"))).Status.ShouldBe(
                AppendStatus.Appended);
        var journal = Directory.EnumerateFiles(Path.Combine(_directory.Path, "shards", "001"), "*.db-wal").MaxBy(
            path => new FileInfo(path).Length)!;
        WalFile.FlipBit(journal, (new FileInfo(journal).Length * 8) - 1000);

        using var opened = new StoreFixture(StoreFixture.Small(_directory.Path, shards: 2));

        opened.Store.IsServing.ShouldBeTrue();
        opened.Store.Troubles.ShouldHaveSingleItem().ShouldContain("Shard 1");
        var served = 0;
        foreach (var entity in entities)
        {
            var isInFirst = opened.Store.ShardOf(StoreFixture.Bytes(entity)).Index == 0;
            served += isInFirst ? 1 : 0;
            if (isInFirst) (await opened.HistoryAsync(entity))!.Count.ShouldBe(1);
            else await Should.ThrowAsync<ShardUnavailableException>(() => opened.HistoryAsync(entity));
            (await opened.AppendAsync(entity, new TestEvent("Next"))).Status
                .ShouldBe(isInFirst ? AppendStatus.Appended : AppendStatus.Unavailable);
            if (!isInFirst) await Should.ThrowAsync<ShardUnavailableException>(() => opened.EraseAsync(entity));
        }

        served.ShouldBeInRange(1, entities.Count - 1);
    }
}
