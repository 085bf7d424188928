using System.Net.Sockets;
using System.Text;

namespace Warp.Http.Tests.Endpoints;

/// <summary>What no HTTP client sends: answered with 400 or a closed connection, never with a 5xx, and nothing is stored.</summary>
public sealed class HostileBytesTests(WarpApp app) : IClassFixture<WarpApp>
{
    private const string Path = "/v1/entities/hostile/x";

    public static TheoryData<string, string> Requests { get; } = new()
    {
        { "dot segments", "DELETE /v1/entities/hostile/x/%2e%2e/y HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "dot segments plain", "DELETE /v1/entities/hostile/y/../x HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "absolute form", "DELETE http://h/v1/entities/hostile/y/%2E./x HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "encoded slash", "POST /v1/entities/hostile/a%2Fb/events HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n{\"type\":\"A\"}" },
        { "encoded line break", "POST /v1/entities/hostile/x%0d%0aX:%20y/events HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n{\"type\":\"A\"}" },
        { "encoded NUL", "POST /v1/entities/hostile/x%00/events HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n{\"type\":\"A\"}" },
        { "raw UTF-8 in the path", "POST /v1/entities/hostile/\u00e9/events HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n{\"type\":\"A\"}" },
        { "chunk size 2^31", Chunked("80000000\r\n{\"type\":\"A\"}\r\n0\r\n\r\n") },
        { "chunk size 2^63", Chunked("8000000000000000\r\n{\"type\":\"A\"}\r\n0\r\n\r\n") },
        { "chunk size of many digits", Chunked("fffffffffffffffffffff\r\n{\"type\":\"A\"}\r\n0\r\n\r\n") },
        { "chunk size not hexadecimal", Chunked("xyz\r\n{\"type\":\"A\"}\r\n0\r\n\r\n") },
        { "chunk without end", Chunked("3\r\n{\"type\":\"A\"}\r\n0\r\n\r\n") },
        { "chunk size 2^31 in a stream", Chunked("80000000\r\n{\"entity\":\"hostile/x\"", "/v1/events") },
        { "chunk after a good line in a stream", Chunked("2\r\n\r\n\r\nxyz\r\n", "/v1/events") },
        { "length and chunks", $"POST {Path}/events HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n" },
        { "two lengths", $"POST {Path}/events HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nContent-Length: 13\r\n\r\n{{\"type\":\"A\"}}" },
        { "negative length", $"POST {Path}/events HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n" },
        { "unknown transfer encoding", $"POST {Path}/events HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked, x\r\n\r\n0\r\n\r\n" },
        { "no host", $"GET {Path} HTTP/1.1\r\n\r\n" },
        { "no request line", "\r\nnonsense\r\n\r\n" },
        { "asterisk", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "connect", "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n" },
    };

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task A_hostile_request_gets_a_4xx_or_nothing_and_stores_nothing(string name, string request)
    {
        var answer = await SendAsync(request);

        if (answer.Length > 0) answer.ShouldStartWith("HTTP/1.1 4", Case.Sensitive, $"{name}: {answer}");
        (await app.GetAsync($"/v1/entities?kind=hostile"))["entities"].GetArrayLength().ShouldBe(0, name);
    }

    [Theory]
    [InlineData("80000000\r\n{\"type\":\"A\"}", "/v1/entities/hostile/x/events")]
    [InlineData("xyz\r\n{\"type\":\"A\"}", "/v1/entities/hostile/x/events")]
    [InlineData("80000000\r\n{\"type\":\"A\"}", "/v1/events")]
    public async Task Broken_framing_is_answered_with_a_problem(string chunks, string path)
    {
        var answer = await SendAsync(Chunked(chunks, path));

        answer.ShouldStartWith("HTTP/1.1 400");
        answer.ShouldContain("application/problem+json");
        answer.ShouldContain("/problems/invalid-request");
    }

    [Fact]
    public async Task A_client_that_leaves_in_the_middle_harms_nobody()
    {
        for (var i = 0; i < 20; i++)
        {
            await SendAsync($"POST {Path}/events HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{{\"type\":", read: false);
            await SendAsync("POST /v1/events HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ent", read: false);
        }

        (await app.GetAsync("/health/ready"))["status"].GetString().ShouldBe("ok");
        (await app.GetAsync("/v1/entities?kind=hostile"))["entities"].GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task A_body_that_ends_early_gets_a_400_or_nothing()
    {
        var answer = await SendAsync($"POST {Path}/events HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{{\"type\":", endWriting: true);

        if (answer.Length > 0) answer.ShouldStartWith("HTTP/1.1 400");
    }

    private static string Chunked(string chunks, string path = Path + "/events") =>
        $"POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}";

    private async Task<string> SendAsync(string request, bool read = true, bool endWriting = false)
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var client = new TcpClient();
        await client.ConnectAsync(app.Address.Host, app.Address.Port, cancellation);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.UTF8.GetBytes(request), cancellation);
        if (endWriting) client.Client.Shutdown(SocketShutdown.Send);
        if (!read)
        {
            client.LingerState = new LingerOption(true, 0); // a reset, not an orderly end
            return "";
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(TimeSpan.FromSeconds(2));
        var answer = new StringBuilder();
        var buffer = new byte[4096];
        try
        {
            while (await stream.ReadAsync(buffer, limit.Token) is > 0 and var length) answer.Append(Encoding.UTF8.GetString(buffer, 0, length));
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The connection was kept, or reset: what was read is the answer.
        }

        return answer.ToString();
    }
}
