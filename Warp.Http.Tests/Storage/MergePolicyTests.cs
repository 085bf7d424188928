using Warp.Http.Storage;

namespace Warp.Http.Tests.Storage;

public sealed class MergePolicyTests
{
    private const long Seal = 32 << 20;

    [Fact]
    public void Fewer_runs_than_the_fan_out_are_left_alone() => Choose(Enumerable.Repeat(Seal, MergePolicy.FanOut - 1)).ShouldBe((0, 0));

    [Fact]
    public void Runs_of_one_level_are_merged_and_larger_ones_before_them_are_not() =>
        Choose([40 * Seal, 10 * Seal, .. Enumerable.Repeat(Seal, MergePolicy.FanOut)]).ShouldBe((2, MergePolicy.FanOut));

    [Fact]
    public void Small_runs_are_merged_first_and_do_not_part_their_neighbours()
    {
        Choose([.. Enumerable.Repeat(Seal, MergePolicy.FanOut), .. Enumerable.Repeat(100_000L, MergePolicy.FanOut)]).ShouldBe((MergePolicy.FanOut, MergePolicy.FanOut));
        var mixed = Enumerable.Range(0, 2 * MergePolicy.FanOut).Select(i => i % 2 == 0 ? Seal : 100_000L);
        Choose(mixed).ShouldBe((0, 2 * MergePolicy.FanOut));
    }

    [Fact]
    public void What_fell_behind_is_merged_at_once_up_to_a_bound() =>
        Choose(Enumerable.Repeat(Seal, 200)).ShouldBe((0, MergePolicy.AtOnceMax));

    [Fact]
    public void An_event_is_written_again_about_once_a_level_however_many_are_sealed()
    {
        var runs = new List<long>();
        long sealedBytes = 0, written = 0;
        for (var i = 0; i < 5_000; i++)
        {
            runs.Add(Seal);
            sealedBytes += Seal;
            while (Choose(runs) is { Count: > 0 } chosen)
            {
                var merged = runs.Skip(chosen.First).Take(chosen.Count).Sum();
                runs.RemoveRange(chosen.First, chosen.Count);
                runs.Insert(chosen.First, merged);
                written += merged;
            }

            runs.Count.ShouldBeLessThan(4 * MergePolicy.FanOut);
        }

        ((double)written / sealedBytes).ShouldBeLessThan(3.1, "160 GB are four levels");
    }

    private static (int First, int Count) Choose(IEnumerable<long> bytes) => MergePolicy.Choose([.. bytes], Seal);
}
