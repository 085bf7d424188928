namespace Warp.Http.Storage;

/// <summary>Which neighbouring runs to write as one: size-tiered, so that an event is written again once a level, and levels grow by the factor.</summary>
internal static class MergePolicy
{
    /// <summary>
    /// Runs of a level that make one of the next. 16 writes an event about twice after its seal in a store of 8 GB; 8 wrote it three times, and
    /// with journal and seal that was over 5 bytes a payload byte. The price is reads: up to 15 runs a level.
    /// </summary>
    public const int FanOut = 16;

    /// <summary>The most that are merged at once, where merging fell behind: each takes a connection.</summary>
    public const int AtOnceMax = 64;

    /// <summary>Runs of the lowest levels beyond which merging takes what it can get instead of sparing the appends.</summary>
    public const int BehindAbove = 64;

    /// <summary>Below this all runs are alike: they are mostly the pages that every file has.</summary>
    private const long BytesMin = 64 * 1024;

    /// <summary>The first runs and how many of them to merge; 0 = none.</summary>
    /// <param name="bytes">Sizes of the runs in order of position.</param>
    /// <param name="sealBytes">What a seal begins at: a run of that size is in the middle of level 0.</param>
    /// <param name="fanOut">As <see cref="FanOut"/>, but for tests.</param>
    public static (int First, int Count) Choose(IReadOnlyList<long> bytes, long sealBytes, int fanOut = FanOut)
    {
        var levels = bytes.Select(size => LevelOf(size, sealBytes)).ToArray();
        foreach (var level in levels.Distinct().Order())
        {
            // Smaller ones between go along, for left alone they would part their neighbours for ever; but they don't count: else all would be
            // written again whenever there are so many of any size.
            for (int first = 0, end; first < levels.Length; first = end + 1)
            {
                var ofLevel = 0;
                for (end = first; end < levels.Length && levels[end] <= level; end++)
                    if (levels[end] == level) ofLevel++;
                if (ofLevel >= fanOut) return (first, Math.Min(end - first, AtOnceMax));
            }
        }

        return default;
    }

    public static bool IsBehind(IReadOnlyList<long> bytes, long sealBytes) => bytes.Count(size => LevelOf(size, sealBytes) <= 0) > BehindAbove;

    /// <summary>Level 0 ends at twice what a seal holds, each level at <see cref="FanOut"/> times the one before; levels below 0 are for small runs.</summary>
    private static int LevelOf(long bytes, long sealBytes) =>
        (int)Math.Floor(Math.Log(Math.Max(bytes, BytesMin) * (FanOut / 2.0) / Math.Max(sealBytes, BytesMin), FanOut));
}
