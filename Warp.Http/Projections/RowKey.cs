using Warp.Http.Events;

namespace Warp.Http.Projections;

/// <summary>What a row is of: a life of an entity, as one number, and a seq.</summary>
/// <remarks>
/// Keyed by the life and not by the name, so that a late erasure of one life cannot take a row of the next. Two lives of a name never have a row at once:
/// a life's fence comes before the first event of the next, in the same shard.
/// </remarks>
/// <param name="Seq">Where rows are removed: the highest seq that goes.</param>
internal readonly record struct RowKey(long Entity, long Seq)
{
    private const int ShardBits = 8; // Life.ShardsMax

    /// <summary>55 bits of number and 8 of shard: positive, as SQLite's INTEGER wants it.</summary>
    public static long Of(int shard, long number) => (number << ShardBits) | (uint)shard;

    public static long Of(Life life) => Of(life.Shard, life.Number);

    public static int ShardOf(long entity) => (int)(entity & ((1 << ShardBits) - 1));

    public static long NumberOf(long entity) => entity >> ShardBits;
}
