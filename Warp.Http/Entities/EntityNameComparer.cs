using System.IO.Hashing;
using System.Security.Cryptography;
using Warp.Http.Events;

namespace Warp.Http.Entities;

/// <summary>Names byte for byte, also looked up by a span without making a name. Seeded anew each process: nobody can prepare names that collide.</summary>
internal sealed class EntityNameComparer : IEqualityComparer<EntityName>, IAlternateEqualityComparer<ReadOnlySpan<byte>, EntityName>
{
    private readonly long _seed = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long)));

    public bool Equals(EntityName? x, EntityName? y) => ReferenceEquals(x, y) || (x is not null && y is not null && x.Utf8.SequenceEqual(y.Utf8));

    public int GetHashCode(EntityName obj) => GetHashCode(obj.Utf8);

    public bool Equals(ReadOnlySpan<byte> alternate, EntityName other) => alternate.SequenceEqual(other.Utf8);

    public int GetHashCode(ReadOnlySpan<byte> alternate) => (int)XxHash3.HashToUInt64(alternate, _seed);

    public EntityName Create(ReadOnlySpan<byte> alternate) => new(alternate);
}
