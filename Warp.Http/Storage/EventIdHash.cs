using System.IO.Hashing;

namespace Warp.Http.Storage;

/// <summary>
/// What caller-given ids are found by: 40 bits of a seeded hash. A hit says where to look, never that the id is there; the stored event decides.
/// </summary>
internal static class EventIdHash
{
    public const int Bits = 40;
    private const long KeyDomain = 0x4b;

    /// <summary>A seed that only this store knows: nobody can prepare ids that collide.</summary>
    public static long SeedOf(ReadOnlySpan<byte> nameSecret) => System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(nameSecret);

    public static ulong OfId(ReadOnlySpan<byte> id, long seed) => XxHash3.HashToUInt64(id, seed) >> (64 - Bits);

    /// <summary>An Idempotency-Key is indexed once for its whole append; it never meets the ids' hashes.</summary>
    public static ulong OfKey(ReadOnlySpan<byte> key, long seed) => XxHash3.HashToUInt64(key, seed ^ KeyDomain) >> (64 - Bits);
}
