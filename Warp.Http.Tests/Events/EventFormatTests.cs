using System.Text;
using Warp.Http.Events;
using Warp.Http.Tests.Storage;

namespace Warp.Http.Tests.Events;

/// <summary>The stored and the public forms: what is written is what is read, and nothing else is accepted.</summary>
public sealed class EventFormatTests
{
    [Fact]
    public void Records_are_read_as_they_were_written_one_after_another()
    {
        var random = TestRun.Random();
        for (var round = 0; round < 300; round++)
        {
            var events = Enumerable.Range(0, random.Next(1, 8)).Select(_ => new TestEvent(
                Text(random, 1, 200), Text(random, 1, 400), Text(random, 0, 120), Text(random, 0, 64),
                random.Next(3) == 0 ? random.Next(1, int.MaxValue) : 1, Text(random, 0, 300), Text(random, 0, 40))).ToArray();
            var command = new TestAppend("a/b", events).ToCommand();
            var rest = command.Events.Bytes;
            foreach (var e in events)
            {
                var again = rest;
                var skipped = EventRecord.Skip(ref again).Length;
                var before = rest.Length;
                var read = EventRecord.Read(ref rest);
                (before - rest.Length).ShouldBe(skipped);
                new TestEvent(
                    Read(read.Type), Read(read.Payload), Read(read.Id), Read(read.Aggregate), read.SchemaVersion, Read(read.Metadata),
                    Read(read.OccurredAt)).ShouldBe(e);
            }

            rest.Length.ShouldBe(0);
            command.Events.Crc.ShouldBe(Crc32C.Compute(command.Events.Bytes));
            command.Return();
        }
    }

    [Fact]
    public void A_record_that_is_cut_is_refused_and_never_read_beyond_its_end()
    {
        var command = new TestAppend(
            "a/b", [new TestEvent("Type", """{"a":1}""", "id", "Agg", 7, """{"m":1}""", "2026-01-01T00:00:00Z")]).ToCommand();
        var whole = command.Events.Bytes.ToArray();
        command.Return();
        for (var length = 0; length < whole.Length; length++)
        {
            Should.Throw<InvalidDataException>(() =>
            {
                ReadOnlySpan<byte> cut = whole.AsSpan(0, length);
                EventRecord.Read(ref cut);
            });
        }
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(255, 1)]
    [InlineData(7, 123_456_789_012)]
    [InlineData(255, Life.NumberMax)]
    public void A_life_is_read_as_it_was_written_in_one_form_only(int shard, long number)
    {
        var life = new Life(shard, number);
        var text = life.ToString();
        Life.TryParse(Encoding.ASCII.GetBytes(text), out var read).ShouldBeTrue();
        read.ShouldBe(life);
        foreach (var other in new[] { "0" + text, text.ToUpperInvariant() + "U", text + "u", text + "-", "", "0" })
            Life.TryParse(Encoding.ASCII.GetBytes(other), out _).ShouldBeFalse(other);
        foreach (var seq in new[] { 1, 42, 999_999_999_999_999_999 })
        {
            Life.TryParseEventId(Encoding.ASCII.GetBytes(life.EventId(seq)), out var ofId, out var readSeq).ShouldBeTrue();
            (ofId, readSeq).ShouldBe((life, seq));
        }

        foreach (var other in new[] { $"{text}-0", $"{text}-01", $"{text}-", $"{text}-1a", $"{text}--1", $"{text}-+1", "-1",
            $"{text}-1000000000000000000" })
            Life.TryParseEventId(Encoding.ASCII.GetBytes(other), out _, out _).ShouldBeFalse(other);
    }

    [Fact]
    public void A_cursor_is_read_by_the_store_that_wrote_it_and_by_no_other()
    {
        var random = TestRun.Random();
        for (var shards = 1; shards <= Life.ShardsMax; shards += 51)
        {
            var places = Enumerable.Range(0, shards).Select(_ => Place(random)).ToArray();
            var text = Cursor.Format(42, places);
            text.ShouldMatch("^[A-Za-z0-9_-]+$");
            var read = new FeedPlace[shards];
            Cursor.TryParse(text, 42, read).ShouldBeTrue();
            read.ShouldBe(places);
            Cursor.TryParse(text, 43, read).ShouldBeFalse();
            Cursor.TryParse(text, 42, new FeedPlace[shards + 1]).ShouldBeFalse();
            Cursor.TryParse(text.AsSpan(0, text.Length - 1), 42, read).ShouldBeFalse();
            for (var i = 0; i < text.Length; i++)
            {
                var changed = text.ToCharArray();
                changed[i] = changed[i] == 'A' ? 'B' : 'A';
                Cursor.TryParse(changed, 42, read).ShouldBeFalse($"character {i}");
            }
        }
    }

    [Fact]
    public void A_cursor_that_nobody_gave_is_refused_or_says_places_that_it_would_itself_be_the_text_of()
    {
        var random = TestRun.Random();
        var read = new FeedPlace[3];
        var refused = 0;
        for (var round = 0; round < 100_000; round++)
        {
            var text = round % 2 == 0 ? Noise(random) : Changed(random, Cursor.Format(42, [Place(random), Place(random), Place(random)]));
            if (!Cursor.TryParse(text, 42, read)) refused++;
            else Cursor.Format(42, read).ShouldBe(text);
            foreach (var place in read) (place.IsCanonical || place == default).ShouldBeTrue(text);
        }

        // A change that gives the same text again, or one that hits the checksum, is rare.
        refused.ShouldBeGreaterThan(99_000);
    }

    [Fact]
    public void A_cursor_with_a_right_checksum_and_wrong_places_is_refused()
    {
        FeedPlace[] wrong =
        [
            new(-1, -1, 0, 0), new(5, 4, 0, 0), new(5, 9, 0, 1), new(5, 9, 1, 0), new(long.MaxValue, long.MinValue, 1, 1),
        ];
        foreach (var place in wrong)
        {
            place.IsCanonical.ShouldBeFalse();
            Cursor.TryParse(Cursor.Format(42, [place]), 42, new FeedPlace[1]).ShouldBeFalse(place.ToString());
        }

        // The checksum of a longer number for the same position is right as well.
        byte[] padded = [2, .. BitConverter.GetBytes(42UL), 0x85, 0x00, 0x00];
        var text = System.Buffers.Text.Base64Url.EncodeToString([.. padded, .. BitConverter.GetBytes(Crc32C.Compute(padded))]);
        Cursor.TryParse(text, 42, new FeedPlace[1]).ShouldBeFalse();
    }

    [Theory]
    [InlineData("2026-01-31T12:00:00Z", 1769860800000, true)]
    [InlineData("2026-01-31t14:00:00.123+02:00", 1769860800123, true)]
    [InlineData("2026-01-31T12:00:00.1239z", 1769860800123, false)]
    [InlineData("1969-12-31T23:59:59.999Z", -1, true)]
    [InlineData("2016-12-31T23:59:60Z", 1483228800000, true)]
    [InlineData("2017-01-01T01:59:60+02:00", 1483228800000, true)]
    [InlineData("2024-02-29T00:00:00-00:00", 1709164800000, true)]
    public void Times_are_read_to_the_millisecond_at_or_before_them(string text, long ms, bool isWhole)
    {
        Rfc3339.TryParse(Encoding.ASCII.GetBytes(text), out var read, out var whole).ShouldBeTrue();
        (read, whole).ShouldBe((ms, isWhole));
        var written = new byte[Rfc3339.LengthMax];
        Rfc3339.Format(ms, written).ShouldBe(written.Length);
        Encoding.ASCII.GetString(written).ShouldBe(Rfc3339.Format(ms));
        Rfc3339.TryParse(written, out var again, out _).ShouldBeTrue();
        again.ShouldBe(ms);
    }

    [Theory]
    [InlineData("2026-01-31T12:00:00")]
    [InlineData("2026-01-31 12:00:00Z")]
    [InlineData("2026-02-29T12:00:00Z")]
    [InlineData("2026-01-31T24:00:00Z")]
    [InlineData("2026-01-31T12:60:00Z")]
    [InlineData("2026-01-31T12:00:60Z")]
    [InlineData("2026-01-31T12:00:00.Z")]
    [InlineData("2026-01-31T12:00:00+24:00")]
    [InlineData("2026-01-31T12:00:00+02")]
    [InlineData("0000-01-01T00:00:00Z")]
    [InlineData("26-01-31T12:00:00Z")]
    [InlineData("2026-01-31T12:00:00Z ")]
    [InlineData("")]
    public void What_is_no_time_of_rfc_3339_is_refused(string text) => Rfc3339.IsValid(Encoding.ASCII.GetBytes(text)).ShouldBeFalse();

    private static FeedPlace Place(Random random)
    {
        var position = random.NextInt64() >> random.Next(1, 63);
        if (random.Next(2) == 0) return FeedPlace.At(position);
        var seq = random.Next(4) == 0 ? FeedPlace.WholeEntity : random.NextInt64(1, 1_000_000);
        return new FeedPlace(position, position + random.NextInt64(1, 1_000_000), random.NextInt64(1, Life.NumberMax), seq);
    }

    private static string Noise(Random random)
    {
        const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        var length = random.Next(0, 120);
        return string.Concat(Enumerable.Range(0, length).Select(_ => random.Next(50) == 0 ? (char)random.Next(0, 0x3000) : Alphabet[random.Next(64)]));
    }

    private static string Changed(Random random, string text)
    {
        var changed = new StringBuilder(text);
        for (var i = random.Next(1, 4); i > 0 && changed.Length > 0; i--)
        {
            var at = random.Next(changed.Length);
            switch (random.Next(4))
            {
                case 0: changed.Remove(at, 1); break;
                case 1: changed.Insert(at, (char)random.Next('-', 'z')); break;
                case 2: changed.Length = at; break;
                default: changed[at] = (char)random.Next('-', 'z'); break;
            }
        }

        return changed.ToString();
    }

    private static string Read(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text);

    private static string Text(Random random, int min, int max)
    {
        var length = random.Next(min, max);
        return string.Concat(
            Enumerable.Range(0, length).Select(_ => random.Next(10) == 0 ? "ü" : ((char)random.Next('!', '~')).ToString()));
    }
}
