using System.Buffers.Text;
using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Warp.Http.StreamClient;

/// <summary>Takes the answer's bytes as they come and holds every reply to what it must be: line, entity and seqs.</summary>
internal sealed class Replies(Lines lines, Window window, Histogram latencies)
{
    private byte[] _carry = new byte[1024]; // the start of a reply whose end has not come yet
    private int _carried;
    private long _line;
    private long _linesBefore; // in earlier requests

    /// <summary>False while warming up: checked, but not counted.</summary>
    public bool IsMeasuring { get; set; }

    /// <summary>The service numbers the lines of each request.</summary>
    public void BeginRequest() => _linesBefore = _line;

    public void Take(ReadOnlySpan<byte> bytes)
    {
        var now = Stopwatch.GetTimestamp();
        while (bytes.IndexOf((byte)'\n') is >= 0 and var end)
        {
            if (_carried == 0)
            {
                Reply(bytes[..end], now);
            }
            else
            {
                Carry(bytes[..end]);
                Reply(_carry.AsSpan(0, _carried), now);
                _carried = 0;
            }

            bytes = bytes[(end + 1)..];
        }

        Carry(bytes);
        window.WakeSender();
    }

    private void Carry(ReadOnlySpan<byte> bytes)
    {
        if (_carry.Length - _carried < bytes.Length) Array.Resize(ref _carry, Math.Max(_carry.Length * 2, _carried + bytes.Length));
        bytes.CopyTo(_carry.AsSpan(_carried));
        _carried += bytes.Length;
    }

    private void Reply(ReadOnlySpan<byte> reply, long now)
    {
        if (!IsInPlainForm(reply)) Read(reply);
        _line++;
        var sentAt = window.Answer();
        if (IsMeasuring) latencies.Record(now - sentAt);
    }

    /// <summary>The form in which the service writes them; members in another order are left to a JSON reader.</summary>
    private bool IsInPlainForm(ReadOnlySpan<byte> reply)
    {
        var entity = lines.EntityOf(_line);
        return Skip(ref reply, "{\"line\":"u8) && SkipNumber(ref reply, _line - _linesBefore + 1) && Skip(ref reply, ",\"entity\":\""u8) && Skip(ref reply, entity)
            && Skip(ref reply, "\",\"firstSeq\":"u8) && SkipNumber(ref reply, lines.FirstSeqOf(_line))
            && Skip(ref reply, ",\"lastSeq\":"u8) && SkipNumber(ref reply, lines.LastSeqOf(_line)) && reply is [(byte)'}'];
    }

    private void Read(ReadOnlySpan<byte> reply)
    {
        using var json = JsonDocument.Parse(Encoding.UTF8.GetString(reply));
        var root = json.RootElement;
        var isRight = root.GetProperty("line").GetInt64() == _line - _linesBefore + 1 && !root.TryGetProperty("problem", out _)
            && root.GetProperty("entity").ValueEquals(lines.EntityOf(_line))
            && root.GetProperty("firstSeq").GetInt64() == lines.FirstSeqOf(_line) && root.GetProperty("lastSeq").GetInt64() == lines.LastSeqOf(_line);
        if (isRight) return;
        throw new InvalidDataException(
            $"Line {_line + 1} of {Encoding.UTF8.GetString(lines.EntityOf(_line))}, due at seq {lines.FirstSeqOf(_line)}, was answered with {root.GetRawText()}");
    }

    private static bool Skip(ref ReadOnlySpan<byte> text, ReadOnlySpan<byte> expected)
    {
        if (!text.StartsWith(expected)) return false;
        text = text[expected.Length..];
        return true;
    }

    private static bool SkipNumber(ref ReadOnlySpan<byte> text, long expected)
    {
        if (!Utf8Parser.TryParse(text, out long value, out var length) || value != expected) return false;
        text = text[length..];
        return true;
    }
}
