using Warp.Http.Events;

namespace Warp.Http.Subscriptions;

/// <summary>Where an entity's stream begins.</summary>
/// <param name="Life">None while the entity does not exist.</param>
/// <param name="LastSeq">What the client has: the next seq is sent first.</param>
/// <param name="Resync">A <see cref="ResyncReason"/>; null = the client's place is kept.</param>
internal readonly record struct EntityStart(Life Life, long LastSeq, string? Resync)
{
    /// <param name="last">The entity's last durable seq.</param>
    /// <param name="isRecreated">True if the name had a life before this one.</param>
    /// <param name="asked">What the client has; null = only what comes next is wanted.</param>
    public static EntityStart Of(Life life, long last, bool isRecreated, AskedPlace? asked)
    {
        if (asked is not { } place) return new EntityStart(life, last, null);
        var isOtherLife = !place.IsAnyLife && (place.Life.IsNone ? isRecreated : place.Life != life);
        if (isOtherLife) return new EntityStart(life, 0, ResyncReason.Recreated);
        return place.Seq > last ? new EntityStart(life, last, ResyncReason.Ahead) : new EntityStart(life, place.Seq, null);
    }
}

/// <summary>The seq up to which a client has the events, as it says itself.</summary>
/// <param name="Life">Of an id that carries one; none in the ids of a name's first life.</param>
/// <param name="IsAnyLife">True if a seq alone was asked for (<c>from</c>).</param>
internal readonly record struct AskedPlace(long Seq, Life Life, bool IsAnyLife)
{
    /// <summary>What comes before a seq is taken as known.</summary>
    public static AskedPlace Before(long from) => new(from - 1, default, IsAnyLife: true);

    /// <summary>Reads an id that a stream gave: <c>seq</c> or <c>seq.life</c>.</summary>
    public static bool TryParse(ReadOnlySpan<char> id, out AskedPlace place)
    {
        place = default;
        var dot = id.IndexOf('.');
        var digits = dot < 0 ? id : id[..dot];
        if (digits.IsEmpty || digits.Length > 18 || digits.ContainsAnyExceptInRange('0', '9') || (digits.Length > 1 && digits[0] == '0')) return false;
        var seq = long.Parse(digits, System.Globalization.CultureInfo.InvariantCulture);
        Life life = default;
        if (dot >= 0)
        {
            var token = id[(dot + 1)..];
            Span<byte> ascii = stackalloc byte[16];
            if (token.Length > ascii.Length || !System.Text.Ascii.IsValid(token)) return false;
            System.Text.Encoding.ASCII.GetBytes(token, ascii);
            if (!Life.TryParse(ascii[..token.Length], out life)) return false;
        }

        place = new AskedPlace(seq, life, IsAnyLife: false);
        return true;
    }
}
