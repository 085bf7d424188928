namespace Warp.Http.Events;

/// <summary>Unsigned LEB128: seven bits a byte, lowest first, the high bit says that more follow.</summary>
internal static class Varint
{
    public static int SizeOf(ulong value)
    {
        var size = 1;
        while (value >= 0x80)
        {
            value >>= 7;
            size++;
        }

        return size;
    }

    /// <summary>Writes <paramref name="value"/> at the start of <paramref name="destination"/> and answers how many bytes it took.</summary>
    public static int Write(Span<byte> destination, ulong value)
    {
        var i = 0;
        while (value >= 0x80)
        {
            destination[i++] = (byte)(value | 0x80);
            value >>= 7;
        }

        destination[i++] = (byte)value;
        return i;
    }

    /// <summary>Reads a value and moves <paramref name="source"/> past it.</summary>
    /// <exception cref="InvalidDataException">The bytes end inside the value, or it has more than 64 bits.</exception>
    public static ulong Read(scoped ref ReadOnlySpan<byte> source)
    {
        ulong value = 0;
        for (var i = 0; i < source.Length && i < 10; i++)
        {
            var b = source[i];
            value |= (ulong)(b & 0x7f) << (7 * i);
            if (b < 0x80)
            {
                source = source[(i + 1)..];
                return value;
            }
        }

        throw new InvalidDataException("A variable-length number is cut off or longer than 64 bits.");
    }
}
