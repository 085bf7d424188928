using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;
using Warp.Http.Events;

namespace Warp.Http.Projections;

internal enum RqliteStatus : byte
{
    /// <summary>All statements were run.</summary>
    Done,

    /// <summary>One was refused; in a transaction none of them happened.</summary>
    Refused,

    /// <summary>Nobody can say what happened: no answer, or one that says nothing of it.</summary>
    Unknown,
}

/// <summary>What one statement gave.</summary>
internal sealed record RqliteResult(long RowsAffected, IReadOnlyList<string> Columns, IReadOnlyList<string> Types, IReadOnlyList<IReadOnlyList<JsonElement>> Rows);

/// <param name="WasUnknown">True if an earlier attempt of the same call ended so: it may have happened.</param>
internal sealed record RqliteReply(RqliteStatus Status, string? Error, IReadOnlyList<RqliteResult> Results, bool WasUnknown = false);

/// <summary>Speaks HTTP with the nodes of an rqlite cluster: one at a time, the next one when it fails.</summary>
/// <remarks>
/// Any thread. Errors are in three places (the status, the answer, each result), and an answer is a success only if none of them has any and there are as
/// many results as statements. The same call is sent again where its outcome is not known; that it may have happened is for the caller to see to.
/// </remarks>
internal sealed class RqliteClient
{
    private static readonly TimeSpan s_attemptMax = TimeSpan.FromSeconds(10);
    private static readonly MediaTypeHeaderValue s_json = new("application/json");

    private readonly HttpClient _http;
    private readonly Uri[] _nodes;
    private readonly AuthenticationHeaderValue? _credentials;
    private readonly ResiliencePipeline<RqliteReply> _pipeline;
    private int _node; // the one that answered last; read by any thread, moved on by whoever failed

    /// <param name="nodes">Base addresses, without credentials in them.</param>
    /// <param name="user">Null: no credentials are sent.</param>
    public RqliteClient(HttpClient http, IReadOnlyList<Uri> nodes, string? user, string? password, TimeProvider time)
    {
        _http = http;
        _http.Timeout = Timeout.InfiniteTimeSpan; // the pipeline's holds
        _nodes = [.. nodes];
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
    public Task<RqliteReply> ExecuteAsync(JsonBuffer body, int statements, CancellationToken cancellation) => SendAsync("db/execute?transaction", body, statements, cancellation);

    /// <summary>Runs statements that read.</summary>
    /// <param name="level"><c>none</c>, <c>weak</c>, <c>linearizable</c> or <c>strong</c>.</param>
    /// <param name="time">What the database may take; null = as long as an attempt may.</param>
    public Task<RqliteReply> QueryAsync(JsonBuffer body, int statements, string level, CancellationToken cancellation, TimeSpan? time = null) =>
        SendAsync($"db/query?level={level}{(time is { } max ? $"&db_timeout={(long)max.TotalMilliseconds}ms" : "")}", body, statements, cancellation);

    private async Task<RqliteReply> SendAsync(string path, JsonBuffer body, int statements, CancellationToken cancellation)
    {
        var bytes = body.Written.ToArray();
        var wasUnknown = false;
        try
        {
            var reply = await _pipeline.ExecuteAsync(async token =>
            {
                var answer = await TryAsync(path, bytes, statements, token);
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

    private async ValueTask<RqliteReply> TryAsync(string path, byte[] body, int statements, CancellationToken cancellation)
    {
        var node = Volatile.Read(ref _node);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(s_attemptMax);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_nodes[node], path));
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = s_json;
            request.Headers.Authorization = _credentials;
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, timeout.Token);
            var text = await response.Content.ReadAsByteArrayAsync(timeout.Token);
            var reply = Judge(response.StatusCode, text, statements);
            if (reply.Status == RqliteStatus.Unknown) MoveOn(node);
            return reply;
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            MoveOn(node);
            return Unknown(e is OperationCanceledException ? $"{_nodes[node].Authority} did not answer within {s_attemptMax.TotalSeconds} s." : $"{_nodes[node].Authority} can't be reached, or broke off.");
        }
    }

    /// <summary>Never parses before it has looked at the status: errors of the HTTP layer are plain texts.</summary>
    private static RqliteReply Judge(HttpStatusCode status, byte[] body, int statements)
    {
        if (status != HttpStatusCode.OK)
        {
            var said = $"rqlite answered {(int)status}{(body.Length == 0 ? "" : ": " + ProjectionSql.Shortened(Encoding.UTF8.GetString(body).Trim()))}";
            return (int)status >= 500 ? Unknown(said) : new RqliteReply(RqliteStatus.Refused, said, []);
        }

        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            if (root.TryGetProperty("error", out var error)) return Unknown($"rqlite: {error.GetString()}");
            if (!root.TryGetProperty("results", out var results)) return Unknown("rqlite answered without results.");
            var read = results.EnumerateArray().Select(Read).ToList();
            if (read.Find(result => result.Error is not null).Error is { } refused) return new RqliteReply(RqliteStatus.Refused, $"rqlite: {refused}", []);
            return read.Count == statements
                ? new RqliteReply(RqliteStatus.Done, null, [.. read.Select(result => result.Result)])
                : Unknown($"rqlite gave {read.Count} results for {statements} statements.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return Unknown("rqlite's answer can't be read.");
        }
    }

    private static (string? Error, RqliteResult Result) Read(JsonElement result)
    {
        var error = result.TryGetProperty("error", out var said) ? said.GetString() : null;
        var affected = result.TryGetProperty("rows_affected", out var rows) ? rows.GetInt64() : 0; // left out when 0
        IReadOnlyList<IReadOnlyList<JsonElement>> values = result.TryGetProperty("values", out var given) // left out when there are none
            ? [.. given.EnumerateArray().Select(row => (IReadOnlyList<JsonElement>)[.. row.EnumerateArray().Select(value => value.Clone())])]
            : [];
        return (error, new RqliteResult(affected, Texts(result, "columns"), Texts(result, "types"), values));
    }

    private static List<string> Texts(JsonElement result, string member) =>
        result.TryGetProperty(member, out var texts) ? [.. texts.EnumerateArray().Select(text => text.GetString() ?? "")] : [];

    private static RqliteReply Unknown(string error) => new(RqliteStatus.Unknown, error, []);

    private void MoveOn(int from) => Interlocked.CompareExchange(ref _node, (from + 1) % _nodes.Length, from);
}
