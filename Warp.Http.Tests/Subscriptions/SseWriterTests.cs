using System.IO.Pipelines;
using System.Text;
using Warp.Http.Subscriptions;
using Xunit;

namespace Warp.Http.Tests.Subscriptions;

public sealed class SseWriterTests
{
    private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 0));
    private readonly SseWriter _writer;

    public SseWriterTests() => _writer = new SseWriter(_pipe.Writer, TimeProvider.System);

    [Theory]
    [InlineData("s")]
    [InlineData("ss")]
    [InlineData("so")]
    [InlineData("os")]
    [InlineData("sos")]
    [InlineData("sL")]
    [InlineData("sSs")]
    [InlineData("Ss")]
    [InlineData("oL")]
    public async Task What_was_written_comes_in_its_order(string kinds)
    {
        var expected = new StringBuilder();
        for (var round = 0; round < 2; round++)
        {
            for (var i = 0; i < kinds.Length; i++)
            {
                var text = new string((char)('a' + i), char.IsUpper(kinds[i]) ? (2 * SseWriter.SliceBytes) + 1 : 10);
                expected.Append(text);
                await WriteAsync(text, isShared: char.ToLowerInvariant(kinds[i]) == 's');
            }

            await _writer.FlushAsync();
        }

        Assert.Equal(expected.ToString(), await SentAsync());
    }

    [Fact]
    public async Task Nothing_is_flushed_twice_or_without_need()
    {
        await WriteAsync("once", isShared: true);
        await _writer.FlushAsync();
        await _writer.FlushAsync();

        Assert.Equal("once", await SentAsync());
    }

    [Fact]
    public async Task What_is_shared_goes_out_with_the_flush_alone()
    {
        await WriteAsync("held", isShared: true);
        Assert.False(_pipe.Reader.TryRead(out _));

        await _writer.FlushAsync();
        Assert.Equal("held", await SentAsync());
    }

    [Fact]
    public async Task After_the_client_left_nothing_is_held()
    {
        await _pipe.Reader.CompleteAsync();
        await WriteAsync("first", isShared: true);
        await _writer.FlushAsync();
        Assert.True(_writer.IsClosed);

        await WriteAsync("second", isShared: true);
        await _writer.FlushAsync();
        Assert.Equal(TimeSpan.Zero, _writer.WaitingFor);
    }

    private async Task WriteAsync(string text, bool isShared)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        if (isShared)
        {
            await _writer.WriteSharedAsync(bytes);
            return;
        }

        await _writer.WriteAsync(bytes);
        Array.Fill(bytes, (byte)'x'); // a rented buffer is somebody else's now
    }

    private async Task<string> SentAsync()
    {
        var read = await _pipe.Reader.ReadAsync();
        var text = Encoding.UTF8.GetString(read.Buffer);
        _pipe.Reader.AdvanceTo(read.Buffer.End);
        return text;
    }
}
