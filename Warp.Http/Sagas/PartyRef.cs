using System.Globalization;
using System.Text;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Sagas;

/// <summary>
/// What a saga's log holds of a party: no name, but the keyed tag that a tombstone holds too, the life that the step is bound to, and where the
/// party's companion keeps the step.
/// </summary>
/// <param name="Shard">The party's.</param>
/// <param name="Bound">Any: the party was erased before the saga began, so that nothing was kept.</param>
/// <param name="At">The companion's seq.</param>
internal readonly record struct PartyRef(NameTag Tag, int Shard, LifeBinding Bound, long At)
{
    private const string First = "first-";
    private const string Erased = "erased-";

    private static ReadOnlySpan<byte> CompanionPrefix => "warp.party/"u8;

    /// <summary>True if there was no life to bind the step to when the saga began.</summary>
    public bool WasErased => Bound.IsAny;

    /// <summary>
    /// The companion's name. Each life of a party has its own, found from a tombstone alone, so that erasing one never takes the next one's steps.
    /// </summary>
    public byte[] Companion => CompanionOf(Tag, Shard, Bound);

    public static byte[] CompanionOf(NameTag tag, int shard, LifeBinding bound)
    {
        Span<byte> bytes = stackalloc byte[NameTag.Bytes];
        tag.Write(bytes);
        return [.. CompanionPrefix, .. Encoding.ASCII.GetBytes(Convert.ToHexStringLower(bytes)), (byte)'.', .. LifeText(shard, bound)];
    }

    public string TagText()
    {
        Span<byte> bytes = stackalloc byte[NameTag.Bytes];
        Tag.Write(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    /// <summary>The life's token, or a word and the shard.</summary>
    public string LifeText() => Encoding.ASCII.GetString(LifeText(Shard, Bound));

    public static PartyRef Read(string tag, string life, long at)
    {
        var bytes = NameTag.Read(Convert.FromHexString(tag));
        if (life.StartsWith(First, StringComparison.Ordinal)) return new PartyRef(bytes, ShardIn(life[First.Length..]), LifeBinding.First, at);
        if (life.StartsWith(Erased, StringComparison.Ordinal)) return new PartyRef(bytes, ShardIn(life[Erased.Length..]), default, at);
        if (!Life.TryParse(Encoding.ASCII.GetBytes(life), out var parsed)) throw new InvalidDataException("A saga's log names a life that is none.");
        return new PartyRef(bytes, parsed.Shard, LifeBinding.To(parsed.Number), at);
    }

    private static int ShardIn(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static byte[] LifeText(int shard, LifeBinding bound)
    {
        if (bound.IsFirst) return Encoding.ASCII.GetBytes($"{First}{shard}");
        return Encoding.ASCII.GetBytes(bound.IsAny ? $"{Erased}{shard}" : new Life(shard, bound.Number).ToString());
    }
}
