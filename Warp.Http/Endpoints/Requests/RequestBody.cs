using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>A whole request body as contiguous bytes: in place where it came in one piece, else in a rented buffer. Release it once parsed.</summary>
internal readonly struct RequestBody
{
    private readonly PipeReader? _reader; // set where the bytes are the pipe's own
    private readonly byte[]? _rented;
    private readonly ReadOnlySequence<byte> _inPlace;
    private readonly int _length;

    private RequestBody(Problem problem) => Problem = problem;

    private RequestBody(PipeReader reader, ReadOnlySequence<byte> inPlace)
    {
        _reader = reader;
        _inPlace = inPlace;
    }

    private RequestBody(byte[] rented, int length)
    {
        _rented = rented;
        _length = length;
    }

    /// <summary>Set if the body was refused; there is then nothing to release.</summary>
    public Problem? Problem { get; }

    public ReadOnlySpan<byte> Bytes => _rented is null ? _inPlace.FirstSpan : _rented.AsSpan(0, _length);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<RequestBody> ReadAsync(HttpContext context, Limits limits)
    {
        var sent = context.Request.ContentLength;
        if (sent > limits.BodyBytes) return new(TooLarge(limits, sent.Value));

        // Kestrel's own limit counts the framing of chunks; ours counts the body.
        if (sent is null && context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = null;
        var reader = context.Request.BodyReader;
        byte[]? copy = null;
        var length = 0;
        while (true)
        {
            var result = await ReadAsync(reader);
            var buffer = result.Buffer;
            if (result.IsCompleted && copy is null && buffer.IsSingleSegment && buffer.Length <= limits.BodyBytes) return new(reader, buffer);
            var total = length + buffer.Length;
            if (total > limits.BodyBytes)
            {
                reader.AdvanceTo(buffer.End);
                if (copy is not null) ArrayPool<byte>.Shared.Return(copy);
                return new(TooLarge(limits, total));
            }

            copy = Grow(copy, length, Math.Max(total, sent ?? 0));
            buffer.CopyTo(copy.AsSpan(length));
            length = (int)total;
            reader.AdvanceTo(buffer.End);
            if (result.IsCompleted) return new(copy, length);
        }
    }

    public void Release()
    {
        _reader?.AdvanceTo(_inPlace.End);
        if (_rented is not null) ArrayPool<byte>.Shared.Return(_rented);
    }

    /// <summary>Reads on; broken framing is the client's fault, though Kestrel reports some of it (a chunk size from 2^31) as a plain IOException.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<ReadResult> ReadAsync(PipeReader reader)
    {
        try
        {
            return await reader.ReadAsync();
        }
        catch (IOException error) when (error is not (BadHttpRequestException or ConnectionResetException))
        {
            throw new BadHttpRequestException("The body's framing is broken.", StatusCodes.Status400BadRequest, error);
        }
    }

    private static byte[] Grow(byte[]? copy, int length, long needed)
    {
        if (copy is not null && copy.Length >= needed) return copy;
        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Max(needed, 2L * length));
        if (copy is null) return larger;
        copy.AsSpan(0, length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(copy);
        return larger;
    }

    private static Problem TooLarge(Limits limits, long actual) =>
        Problems.PayloadTooLarge("The body's length in bytes", "bodyBytes", limits.BodyBytes, actual);
}
