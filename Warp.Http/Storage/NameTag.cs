using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Warp.Http.Storage;

/// <summary>
/// The first 16 bytes of HMAC-SHA256 over an entity's name under the store's secret: what names are looked up by, and all that a tombstone keeps.
/// Without the secret nobody can test a guess of a name against it.
/// </summary>
public readonly record struct NameTag(ulong High, ulong Low)
{
    public const int Bytes = 16;

    public static NameTag Of(ReadOnlySpan<byte> name, ReadOnlySpan<byte> secret)
    {
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(secret, name, hash);
        return Read(hash);
    }

    public static NameTag Read(ReadOnlySpan<byte> source) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(source), BinaryPrimitives.ReadUInt64BigEndian(source[8..]));

    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, High);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], Low);
    }
}
