using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>
/// A bit flipped, a sector zeroed, a file cut, anywhere in any file of a store: it is noticed, by the shard that goes out of service while the
/// others serve, or by a refusal to start where the file is the whole store's; or it changes no answer.
/// </summary>
public sealed class DamageSweepTests(SweepStore sample, ITestOutputHelper output) : IClassFixture<SweepStore>, IDisposable
{
    /// <summary>Damages in every test run; <c>WARP_TEST_DAMAGES</c> says how many in another.</summary>
    private const int Damages = 50;
    private const int SectorBytes = 512;

    private readonly TempDirectory _directory = TempDirectory.InMemory("sweep-copy");
    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_store_that_nothing_happened_to_answers_as_before()
    {
        var data = _directory.File("sound");
        sample.CopyTo(data);
        using var store = SweepStore.Open(data);
        store.Store.Troubles.ShouldBeEmpty();
        (await sample.FirstWrongAnswerAsync(store, _ => true)).ShouldBeNull();
    }

    [Fact]
    public async Task Damage_anywhere_is_noticed_or_changes_no_answer()
    {
        var random = TestRun.Random();
        var damages = TestRun.Rounds("WARP_TEST_DAMAGES", Damages);
        var wrong = new List<string>();
        for (var i = 0; i < damages; i++)
        {
            var (file, shard) = Choose(random);
            var data = _directory.File($"damaged-{i}");
            sample.CopyTo(data);
            var what = $"{file}, {DamageFile(Path.Combine(data, file), random)}";
            if (await JudgeAsync(data, KindOf(file), shard) is { } broken) wrong.Add($"{what}: {broken}");
            Directory.Delete(data, recursive: true);
        }

        output.WriteLine(string.Join(", ", _counts.OrderBy(count => count.Key, StringComparer.Ordinal).Select(count => $"{count.Key}: {count.Value}")));
        wrong.ShouldBeEmpty();
    }

    /// <summary>Whole for SQLite and for every checksum inside, since SQLite itself made it so; nobody but the page's checksum knows.</summary>
    [Fact]
    public async Task Rows_that_are_missing_from_a_page_that_is_otherwise_whole_are_noticed()
    {
        var data = _directory.File("rows");
        sample.CopyTo(data);
        const int shard = 1;
        foreach (var (file, _) in sample.Files().Where(file => file.Shard == shard && KindOf(file.Name) == "run"))
        {
            using var plain = SqliteDatabase.OpenOrCreate(Path.Combine(data, file));
            plain.Execute("PRAGMA journal_mode=OFF; DELETE FROM tag WHERE entity % 2 = 0");
        }

        (await JudgeAsync(data, "run", shard)).ShouldBeNull();

        _counts.Keys.ShouldBe(["run out of service"]);
    }

    [Fact]
    public async Task A_store_that_does_not_verify_the_checksums_of_pages_is_caught()
    {
        using var mutant = Mutants.DoesNotVerifyPages();

        (await TestsUnderMutant.PassesAsync(
            mutant, $"{typeof(DamageSweepTests).FullName}.{nameof(Rows_that_are_missing_from_a_page_that_is_otherwise_whole_are_noticed)}"))
            .ShouldBeFalse("the test passes with the defect");
    }

    /// <summary>Each kind of file as often as the others: the small ones would hardly be hit by size, and the store stands on them too.</summary>
    private (string Name, int Shard) Choose(Random random)
    {
        var kinds = sample.Files().GroupBy(file => KindOf(file.Name), StringComparer.Ordinal).ToArray();
        var kind = kinds[random.Next(kinds.Length)].ToArray();
        return kind[random.Next(kind.Length)];
    }

    private static string KindOf(string file)
    {
        var name = Path.GetFileName(file);
        if (name.EndsWith("-wal", StringComparison.Ordinal)) return "wal";
        return name.IndexOf('-', StringComparison.Ordinal) is > 0 and var dash ? name[..dash] : name;
    }

    private static string DamageFile(string path, Random random)
    {
        var bytes = File.ReadAllBytes(path);
        // Zeros are cheap to be damaged without effect: three times out of four it is a byte that says something.
        var at = random.Next(bytes.Length);
        for (var tries = 0; tries < 1000 && bytes[at] == 0 && random.Next(4) > 0; tries++) at = random.Next(bytes.Length);
        switch (random.Next(8))
        {
            case 0:
                File.WriteAllBytes(path, bytes[..at]);
                return $"cut at {at} of {bytes.Length}";
            case 1:
                var sector = at / SectorBytes * SectorBytes;
                bytes.AsSpan(sector, Math.Min(SectorBytes, bytes.Length - sector)).Clear();
                File.WriteAllBytes(path, bytes);
                return $"zeroed from {sector}";
            default:
                var bit = random.Next(8);
                bytes[at] ^= (byte)(1 << bit);
                File.WriteAllBytes(path, bytes);
                return $"bit {bit} of byte {at} flipped";
        }
    }

    /// <returns>What went wrong, or null.</returns>
    private async Task<string?> JudgeAsync(string data, string kind, int damaged)
    {
        StoreFixture store;
        try
        {
            store = SweepStore.Open(data);
        }
        catch (Exception e) when (e is DataDirectoryException or DefinitionStoreException)
        {
            Count(kind, "refused to start");
            return damaged < 0 ? null : $"one shard's file keeps the whole store from starting: {e.Message}";
        }
        catch (Exception e) when (e is FormatException or ArgumentException or InvalidOperationException or IOException or NullReferenceException)
        {
            return $"the start fails without saying what is wrong: {e}";
        }

        using (store)
        {
            try
            {
                var wrong = await sample.FirstWrongAnswerAsync(store, shard => !IsOut(store, shard));
                if (wrong is not null) return wrong;
            }
            catch (Exception e) when (e is DamagedDataException or ShardUnavailableException)
            {
                // Noticed on reading. From now on the shard must be out of service, and the others go on.
                if (damaged < 0 || !IsOut(store, damaged)) return $"damage was read, and no shard is out of service: {e.Message}";
                if (await sample.FirstWrongAnswerAsync(store, shard => shard != damaged) is { } other) return other;
            }

            var wasNoticed = Enumerable.Range(0, SweepStore.Shards).Any(shard => IsOut(store, shard));
            if (!wasNoticed && await VerifyAsync(store, damaged) is { } unverified) return unverified;

            var outOfService = Enumerable.Range(0, SweepStore.Shards).Where(shard => IsOut(store, shard)).ToList();
            if (outOfService.Exists(shard => shard != damaged))
                return $"a shard whose files are sound is out of service: {string.Join("; ", store.Store.Troubles)}";
            Count(kind, outOfService.Count == 0 ? "without effect" : wasNoticed ? "out of service" : "found by verification");
            return null;
        }
    }

    /// <summary>What reads did not notice a verification finds, in the damaged shard alone; or there is nothing to be found.</summary>
    private async Task<string?> VerifyAsync(StoreFixture store, int damaged)
    {
        store.Store.Verification.Include(AggregateCatalog.FileName, store.Definitions.Check);
        var report = await store.Store.Verification.RunAsync();
        if (report.Problems.FirstOrDefault(problem => !problem.IsDamage || (problem.Shard ?? -1) != damaged) is { } strange) return $"the verification says of what is sound: {strange}";
        if (report.Status == VerifyStatus.Ok) return await sample.FirstWrongAnswerAsync(store, _ => true);
        if (report.Status != VerifyStatus.Damaged) return $"the verification ended as {report.Status}";
        return damaged < 0 || IsOut(store, damaged) ? null : "the verification found damage, and its shard is in service";
    }

    private static bool IsOut(StoreFixture store, int shard) => store.Store.AllShards[shard].Damage is not null;

    private void Count(string kind, string outcome) => _counts[$"{kind} {outcome}"] = _counts.GetValueOrDefault($"{kind} {outcome}") + 1;
}
