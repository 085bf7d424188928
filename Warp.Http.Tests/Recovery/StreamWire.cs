using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Warp.Http.Tests.Endpoints;

namespace Warp.Http.Tests.Recovery;

/// <summary>A streaming append as bytes on a socket, over HTTP/1.1 or HTTP/2, so that it can be cut anywhere: in a line, a chunk, a frame.</summary>
internal static class StreamWire
{
    private const int Data = 0;
    private const int Headers = 1;
    private const int Settings = 4;
    private const int WindowUpdate = 8;
    private const int EndHeaders = 4;

    public static byte[] Request(string lines, bool isHttp2, Random random) => isHttp2 ? Http2(Encoding.ASCII.GetBytes(lines), random) : Http1(lines, random);

    /// <summary>The replies that came whole, out of whatever came of the answer.</summary>
    public static IReadOnlyList<string> Replies(byte[] received, bool isHttp2)
    {
        var body = isHttp2 ? BodyOfHttp2(received) : BodyOfHttp1(received);
        var end = body.LastIndexOf('\n');
        return end < 0 ? [] : body[..end].Split('\n');
    }

    private static byte[] Http1(string lines, Random random)
    {
        var request = new StringBuilder("POST /v1/events HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (var at = 0; at < lines.Length;)
        {
            var size = Math.Min(lines.Length - at, random.Next(1, 3000));
            request.Append(CultureInfo.InvariantCulture, $"{size:x}\r\n{lines.AsSpan(at, size)}\r\n");
            at += size;
        }

        return Encoding.ASCII.GetBytes(request.ToString());
    }

    /// <summary>RFC 9113 and 7541: preface, settings, a window for the replies, a head without compression, and the lines in frames of any size.</summary>
    private static byte[] Http2(byte[] lines, Random random)
    {
        using var request = new MemoryStream();
        request.Write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);
        Frame(request, Settings, 0, 0, [0, 4, 0, 0xff, 0xff, 0xff]); // INITIAL_WINDOW_SIZE
        Frame(request, WindowUpdate, 0, 0, [0, 0xff, 0xff, 0xff]);

        // :method POST and :scheme http from the static table, then :path, :authority and content-type by its names 4, 1 and 31.
        Frame(request, Headers, EndHeaders, 1, [0x83, 0x86, .. Field([4], "/v1/events"), .. Field([1], "h"), .. Field([15, 16], "application/x-ndjson")]);
        for (var at = 0; at < lines.Length;)
        {
            var size = Math.Min(lines.Length - at, random.Next(1, 3000));
            Frame(request, Data, 0, 1, lines.AsSpan(at, size));
            at += size;
        }

        return request.ToArray();
    }

    private static byte[] Field(byte[] name, string value) => [.. name, (byte)value.Length, .. Encoding.ASCII.GetBytes(value)];

    private static void Frame(Stream to, byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        Span<byte> head = stackalloc byte[9];
        BinaryPrimitives.WriteInt32BigEndian(head, payload.Length << 8);
        (head[3], head[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(head[5..], stream);
        to.Write(head);
        to.Write(payload);
    }

    private static string BodyOfHttp1(byte[] received)
    {
        using var reader = new StreamReader(new ChunkedStream(new MemoryStream(received)));
        return reader.ReadToEnd();
    }

    private static string BodyOfHttp2(ReadOnlySpan<byte> received)
    {
        var body = new StringBuilder();
        while (received.Length >= 9)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(received) >>> 8;
            var type = received[3];
            received = received[9..];
            length = Math.Min(length, received.Length);
            if (type == Data) body.Append(Encoding.ASCII.GetString(received[..length]));
            received = received[length..];
        }

        return body.ToString();
    }
}
