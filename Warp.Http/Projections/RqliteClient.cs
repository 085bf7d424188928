using System.Buffers;
using System.Net.Http.Headers;
using System.Text;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;
using Warp.Http.Events;

namespace Warp.Http.Projections;

/// <summary>Speaks HTTP with the nodes of an rqlite cluster: one at a time, the next one when it fails.</summary>
/// <remarks>
/// Any thread. The same call is sent again where its outcome is not known (<see cref="RqliteAnswer"/> judges); that it may have happened is for the caller
/// to see to.
/// </remarks>
internal sealed class RqliteClient
{
    /// <summary>Bytes of an answer that are read where the caller says nothing else: lists of tables with their definitions, and rows for an export.</summary>
    private const int AnswerBytes = 64 * 1024 * 1024;

    private const int ReadBytes = 16 * 1024;

    private static readonly TimeSpan s_attemptMax = TimeSpan.FromSeconds(10);
    private static readonly MediaTypeHeaderValue s_json = new("application/json");

    private readonly HttpClient _http;
    private readonly Uri[] _nodes;
    private readonly AuthenticationHeaderValue? _credentials;
    private readonly ResiliencePipeline<RqliteReply> _pipeline;
    private readonly TimeProvider _time;
    private int _node; // the one that answered last; read by any thread, moved on by whoever failed

    /// <param name="nodes">Base addresses, without credentials in them.</param>
    /// <param name="user">Null: no credentials are sent.</param>
    public RqliteClient(HttpClient http, IReadOnlyList<Uri> nodes, string? user, string? password, TimeProvider time)
    {
        _http = http;
        _http.Timeout = Timeout.InfiniteTimeSpan; // the pipeline's holds
        _nodes = [.. nodes];
        _time = time;
        if (user is not null) _credentials = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")));
        var unknown = new PredicateBuilder<RqliteReply>().HandleResult(reply => reply.Status == RqliteStatus.Unknown);
        _pipeline = new ResiliencePipelineBuilder<RqliteReply> { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions<RqliteReply>
            {
                ShouldHandle = unknown,
                MaxRetryAttempts = Math.Max(2, _nodes.Length),
                Delay = TimeSpan.FromMilliseconds(100),
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
            })
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<RqliteReply>
            {
                // While a cluster is away, its callers come back every few seconds by themselves; this keeps them from all waiting for time-outs.
                ShouldHandle = unknown,
                FailureRatio = 0.9,
                MinimumThroughput = 8,
                SamplingDuration = TimeSpan.FromSeconds(10),
                BreakDuration = TimeSpan.FromSeconds(1),
            })
            .Build();
    }

    /// <summary>Runs statements that write, in one transaction.</summary>
    /// <param name="body">A JSON array of statements.</param>
    public Task<RqliteReply> ExecuteAsync(JsonBuffer body, int statements, CancellationToken cancellation) => SendAsync("db/execute?transaction", body, statements, AnswerBytes, cancellation);

    /// <summary>Runs statements that read.</summary>
    /// <param name="time">What the database may take; null = as long as an attempt may.</param>
    /// <param name="bytesMax">Bytes of the answer that are read; what is longer is cut.</param>
    public Task<RqliteReply> QueryAsync(
        JsonBuffer body, int statements, ReadLevel level, CancellationToken cancellation, TimeSpan? time = null, int bytesMax = AnswerBytes) =>
        SendAsync(
            $"db/query?level={level.ToString().ToLowerInvariant()}{(time is { } max ? $"&db_timeout={(long)max.TotalMilliseconds}ms" : "")}", body, statements, bytesMax,
            cancellation);

    private async Task<RqliteReply> SendAsync(string path, JsonBuffer body, int statements, int bytesMax, CancellationToken cancellation)
    {
        var bytes = body.Written.ToArray();
        var wasUnknown = false;
        try
        {
            var reply = await _pipeline.ExecuteAsync(async token =>
            {
                var answer = await TryAsync(path, bytes, statements, bytesMax, token);
                var before = wasUnknown;
                wasUnknown |= answer.Status == RqliteStatus.Unknown;
                return answer with { WasUnknown = before };
            }, cancellation);
            return reply;
        }
        catch (BrokenCircuitException)
        {
            return new RqliteReply(RqliteStatus.Unknown, "rqlite failed again and again; it is asked again in a moment.", [], wasUnknown);
        }
    }

    private async ValueTask<RqliteReply> TryAsync(string path, byte[] body, int statements, int bytesMax, CancellationToken cancellation)
    {
        var node = Volatile.Read(ref _node);
        using var late = new CancellationTokenSource(s_attemptMax, _time);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_nodes[node], path));
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = s_json;
            request.Headers.Authorization = _credentials;
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, timeout.Token);
            var (answer, isCut) = await ReadAsync(response.Content, bytesMax, timeout.Token);
            var reply = RqliteAnswer.Judge(response.StatusCode, answer, isCut, statements) with { BytesMax = bytesMax };
            if (reply.Status == RqliteStatus.Unknown) MoveOn(node);
            return reply;
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            MoveOn(node);
            return RqliteAnswer.Unknown(e is OperationCanceledException ? $"{_nodes[node].Authority} did not answer within {s_attemptMax.TotalSeconds} s." : $"{_nodes[node].Authority} can't be reached, or broke off.");
        }
    }

    /// <summary>Reads up to a number of bytes; what is left is never read.</summary>
    private static async Task<(ReadOnlyMemory<byte> Bytes, bool IsCut)> ReadAsync(HttpContent content, int bytesMax, CancellationToken cancellation)
    {
        await using var stream = await content.ReadAsStreamAsync(cancellation);
        var bytes = new ArrayBufferWriter<byte>();
        while (true)
        {
            // One byte more than is wanted tells whether there is more.
            var free = bytes.GetMemory(ReadBytes);
            var read = await stream.ReadAsync(free[..Math.Min(free.Length, bytesMax + 1 - bytes.WrittenCount)], cancellation);
            if (read == 0) return (bytes.WrittenMemory, false);
            bytes.Advance(read);
            if (bytes.WrittenCount > bytesMax) return (bytes.WrittenMemory[..bytesMax], true);
        }
    }

    private void MoveOn(int from) => Interlocked.CompareExchange(ref _node, (from + 1) % _nodes.Length, from);
}
