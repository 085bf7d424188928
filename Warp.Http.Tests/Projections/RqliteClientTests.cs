using System.Net;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Warp.Http.Projections;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Projections;

/// <summary>What answers mean, what is sent again, and how much of an answer is read.</summary>
public sealed class RqliteClientTests : IDisposable
{
    private readonly Answers _answers = new();
    private readonly FakeTimeProvider _time = new() { AutoAdvanceAmount = TimeSpan.FromMilliseconds(1) };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _answers.Dispose();

    [Fact]
    public async Task An_answer_is_a_success_only_if_it_has_an_error_nowhere_and_a_result_for_each_statement()
    {
        foreach (var (status, body, meaning) in ((int, string, string)[])[
            (200, """{"results":[{},{"rows_affected":1}]}""", "Done"),
            (200, """{"results":[{},{"error":"no such table: t"}]}""", "Refused"),
            (200, """{"results":[{"error":"no such table: t"}]}""", "Refused"),
            (200, """{"results":[],"error":"leadership lost while committing log"}""", "Unknown"),
            (200, """{"results":[{},{}],"error":"leadership lost while committing log"}""", "Unknown"),
            (200, """{"results":[{}]}""", "Unknown"),
            (200, """{"results":[{},{},{}]}""", "Unknown"),
            (200, "{}", "Unknown"),
            (200, "leader not found", "Unknown"),
            (200, "", "Unknown"),
            (200, """{"results":[{},{"rows_affected":"many"}]}""", "Unknown"),
            (400, """{"results":[{},{}]}""", "Refused"),
            (401, "", "Refused"),
            (500, """{"results":[{},{}]}""", "Unknown"),
            (503, "leader not found\n", "Unknown"),
        ])
        {
            _answers.Next = () => (status, Bytes(body));

            var reply = await ExecuteAsync(NewClient());

            reply.Status.ToString().ShouldBe(meaning, $"{status} {body}");
            (reply.Error is null).ShouldBe(meaning is "Done", $"{status} {body}");
        }
    }

    [Fact]
    public async Task What_is_sent_again_is_the_same_to_the_byte()
    {
        var left = 2;
        _answers.Next = () => left-- > 0 ? (503, Bytes("leader not found")) : (200, Bytes("""{"results":[{},{}]}"""));

        var reply = await ExecuteAsync(NewClient());

        (reply.Status, reply.WasUnknown).ShouldBe((RqliteStatus.Done, true));
        _answers.Sent.Count.ShouldBe(3);
        _answers.Sent.Distinct(StringComparer.Ordinal).ShouldHaveSingleItem().ShouldBe("""/db/execute?transaction [["UPDATE t SET a = ?",1],["DELETE FROM t"]]""");
    }

    [Fact]
    public async Task Of_an_answer_that_does_not_end_no_more_is_read_than_is_wanted()
    {
        var rows = new EndlessRows("""{"results":[{"columns":["p"],"types":["text"],"values":[["x"]]},{"columns":["n"],"types":["integer"],"values":[[0]""", ",[1]");
        _answers.Next = () => (200, rows);

        var reply = await QueryAsync(NewClient(), 2, 100_000);

        (reply.Status, reply.IsCut).ShouldBe((RqliteStatus.Done, true));
        rows.Given.ShouldBeLessThan(200_000);
        reply.Results[0].Rows[0][0].GetString().ShouldBe("x");
        reply.Results[1].Columns.ShouldBe(["n"]);
        reply.Results[1].Rows.Count.ShouldBe((100_000 - rows.Head.Length + 3) / 4);
    }

    [Fact]
    public async Task Of_one_value_that_does_not_end_no_row_is_left_and_of_an_error_or_a_first_result_nothing()
    {
        _answers.Next = () => (200, new EndlessRows("""{"results":[{"columns":["n"],"types":["text"],"values":[["a"],["b""", "xyz"));
        var cut = await QueryAsync(NewClient(), 1, 50_000);
        (cut.Status, cut.IsCut, cut.Results[0].Rows.Count).ShouldBe((RqliteStatus.Done, true, 1));

        _answers.Next = () => (200, new EndlessRows("""{"results":[{"columns":["n"],"types":["text"],"values":[["a"],["b""", "xyz"));
        (await QueryAsync(NewClient(), 2, 50_000)).Status.ShouldBe(RqliteStatus.Refused, "the second is not there");

        _answers.Next = () => (503, new EndlessRows("no", "o"));
        var refused = await QueryAsync(NewClient(), 2, 50_000);
        refused.Status.ShouldBe(RqliteStatus.Unknown);
        refused.Error!.Length.ShouldBeLessThan(1000);

        _answers.Next = () => (200, new EndlessRows("<html>", "nonsense"));
        (await QueryAsync(NewClient(), 2, 50_000)).Status.ShouldBe(RqliteStatus.Unknown);
    }

    private static MemoryStream Bytes(string body) => new(Encoding.UTF8.GetBytes(body));

    private RqliteClient NewClient() => new(new HttpClient(_answers, disposeHandler: false), [new Uri("http://rqlite/")], null, null, _time);

    private async Task<RqliteReply> ExecuteAsync(RqliteClient client)
    {
        using var body = new RqliteBody();
        body.Add("UPDATE t SET a = ?", SqlValue.Of(1)).Add("DELETE FROM t");
        return await RunAsync(client.ExecuteAsync(body.Finish(), body.Statements, Cancel));
    }

    private async Task<RqliteReply> QueryAsync(RqliteClient client, int statements, int bytesMax)
    {
        using var body = new RqliteBody();
        body.Add("SELECT 1");
        return await RunAsync(client.QueryAsync(body.Finish(), statements, ReadLevel.Weak, Cancel, bytesMax: bytesMax));
    }

    /// <summary>Its rests between attempts take no time.</summary>
    private async Task<RqliteReply> RunAsync(Task<RqliteReply> call)
    {
        await Eventually.BecomesTrueAsync("the call has ended", () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(300));
            return call.IsCompleted;
        });
        return await call;
    }

    /// <summary>A node that says what a test wants.</summary>
    private sealed class Answers : HttpMessageHandler
    {
        public Func<(int Status, Stream Body)> Next { get; set; } = () => (200, Stream.Null);

        public List<string> Sent { get; } = [];

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Sent.Add($"{request.RequestUri!.PathAndQuery} {await request.Content!.ReadAsStringAsync(cancellationToken)}");
            var (status, body) = Next();
            return new HttpResponseMessage((HttpStatusCode)status) { Content = new StreamContent(body) };
        }
    }

    /// <summary>A head, and then the same again and again.</summary>
    private sealed class EndlessRows(string head, string again) : Stream
    {
        public string Head { get; } = head;

        public long Given { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => Given; set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            for (var i = 0; i < buffer.Length; i++, Given++) buffer[i] = (byte)(Given < Head.Length ? Head[(int)Given] : again[(int)((Given - Head.Length) % again.Length)]);
            return buffer.Length;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.FromResult(Read(buffer.Span));

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
