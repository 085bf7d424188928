using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Tests.Storage;

/// <summary>The format of what is written first.</summary>
public sealed class JournalRecordTests
{
    [Fact]
    public void A_record_is_read_as_it_was_written()
    {
        var random = TestRun.Random();
        for (var round = 0; round < 2000; round++)
        {
            var kind = (RecordKind)random.Next(1, 4);
            var entity = random.NextInt64(1, 1L << random.Next(1, 62));
            var seq = random.NextInt64(1, 1L << random.Next(1, 62));
            var count = kind == RecordKind.Append ? random.Next(1, 1 << random.Next(1, 24)) : 0;
            var (name, key, body) = (Bytes(random, 300), Bytes(random, 255), Bytes(random, 5000));
            var tag = name.Length == 0 ? default : new NameTag((ulong)random.NextInt64(), (ulong)random.NextInt64());
            var bytes = new byte[JournalRecord.Size(entity, seq, count, name, key, body.Length)];
            JournalRecord.Write(bytes, kind, entity, seq, count, tag, name, key, body, Crc32C.Compute(body)).ShouldBe(bytes.Length);

            ReadOnlySpan<byte> source = bytes;
            var read = JournalRecord.Read(ref source);
            source.IsEmpty.ShouldBeTrue();
            (read.Kind, read.Entity, read.FirstSeq, read.Count, read.Length, read.Tag).ShouldBe((kind, entity, seq, count, bytes.Length, tag));
            (read.Name.SequenceEqual(name) && read.Key.SequenceEqual(key) && read.Body.SequenceEqual(body)).ShouldBeTrue();
            if (name.Length > 0) bytes.AsSpan(read.NameOffset, name.Length).SequenceEqual(name).ShouldBeTrue();
        }
    }

    [Fact]
    public void Twelve_bytes_stand_around_an_event_of_one_of_two_million_entities()
    {
        var body = new byte[80];
        JournalRecord.Size(2_000_000, firstSeq: 10, count: 1, default, default, body.Length).ShouldBeLessThanOrEqualTo(12 + body.Length);
    }

    [Fact]
    public void What_is_no_record_is_damage_and_nothing_else()
    {
        var random = TestRun.Random();
        byte[] body = [.. Enumerable.Range(0, 40).Select(i => (byte)i)];
        var bytes = new byte[JournalRecord.Size(70_000, 300, 2, "kind/id"u8, "key"u8, body.Length)];
        JournalRecord.Write(bytes, RecordKind.Append, 70_000, 300, 2, new NameTag(1, 2), "kind/id"u8, "key"u8, body, Crc32C.Compute(body));
        for (var length = 0; length < bytes.Length; length++) IsDamage(bytes[..length]).ShouldBeTrue($"cut at {length}");
        for (var round = 0; round < 20_000; round++)
        {
            byte[] changed = [.. bytes];
            for (var i = random.Next(1, 4); i > 0; i--) changed[random.Next(changed.Length)] = (byte)random.Next(256);
            IsDamage(changed); // must not throw anything else; what it lets pass the row's checksum catches
        }
    }

    private static bool IsDamage(byte[] bytes)
    {
        try
        {
            ReadOnlySpan<byte> source = bytes;
            JournalRecord.Read(ref source);
            return false;
        }
        catch (DamagedDataException)
        {
            return true;
        }
    }

    private static byte[] Bytes(Random random, int max)
    {
        var bytes = new byte[random.Next(3) == 0 ? 0 : random.Next(1, max)];
        random.NextBytes(bytes);
        return bytes;
    }
}
