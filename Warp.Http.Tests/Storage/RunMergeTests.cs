using Warp.Http.Tests.Recovery;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

[Collection(RecoveryTests.Name)] // a mutant in this process has a file system and a meter of the same names
public sealed class RunMergeTests : IDisposable
{
    private const int MutantRoundsMax = 10;
    private readonly TempDirectory _directory = new("merge");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Runs_answer_the_same_however_they_are_merged()
    {
        var random = TestRun.Random();
        for (var round = TestRun.Rounds("WARP_TEST_MERGES", 4); round > 0; round--) RunMergeModel.Check(random.Next(), NewDirectory(round));
    }

    [Theory]
    [InlineData(nameof(Mutants.MergesWithoutTags))]
    [InlineData(nameof(Mutants.MergesWithoutStates))]
    [InlineData(nameof(Mutants.TrustsTagsThatStandBesideTheirPlace))]
    [InlineData(nameof(Mutants.MergesWithoutTheIdsOfLargePieces))]
    [InlineData(nameof(Mutants.MergesWhatIsErased))]
    [InlineData(nameof(Mutants.MixesThePiecesOfNeighbours))]
    [InlineData(nameof(Mutants.SwapsNeighbours))]
    [InlineData(nameof(Mutants.LeavesOutTheLastPieceOfAMerge))]
    public void A_merge_with_a_defect_is_caught(string defect)
    {
        using var mutant = (AssemblyMutant)typeof(Mutants).GetMethod(defect)!.Invoke(null, null)!;
        using var target = new TempDirectory("mutant");
        var check = MutantContext.Bind<Action<int, string>>(mutant, target, typeof(RunMergeModel), nameof(RunMergeModel.Check));
        Should.Throw<Exception>(
            () =>
            {
                for (var seed = 0; seed < MutantRoundsMax; seed++) check(seed, NewDirectory(seed));
            },
            defect);
    }

    private string NewDirectory(int round) => Directory.CreateDirectory(_directory.File($"round-{round}")).FullName;
}
