using System.Net;
using System.Text.Json;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>Clients that append what they like until the service is gone, and write down every answer.</summary>
internal sealed class Writers(Ledger ledger, IReadOnlyList<string> entities)
{
    private const int BatchEventsMax = 40;

    /// <summary>Runs until the connection breaks or <paramref name="stop"/> is set; an append under way is then left in doubt.</summary>
    public async Task RunAsync(HttpClient client, int writers, int seed, CancellationToken stop) =>
        await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => WriteAsync(client, writer, new Random(seed + writer), stop)));

    /// <summary>Sends one append, new or again, and takes down the answer.</summary>
    /// <returns>False where there was none.</returns>
    public async Task<bool> SendAsync(HttpClient client, AppendAttempt attempt, CancellationToken stop = default)
    {
        try
        {
            using var request = attempt.Request();
            using var answer = await client.SendAsync(request, stop);
            var body = await answer.Content.ReadAsStringAsync(stop);
            switch (answer.StatusCode)
            {
                case HttpStatusCode.Created or HttpStatusCode.OK:
                    using (var json = JsonDocument.Parse(body)) ledger.Acknowledge(attempt, Seq(json, "firstSeq"), Seq(json, "lastSeq"));
                    var replayed = answer.Headers.TryGetValues("Idempotent-Replayed", out var values) && string.Concat(values) == "true";
                    if (replayed != (answer.StatusCode == HttpStatusCode.OK))
                        ledger.Violated($"{attempt}: {(int)answer.StatusCode}, replayed = {replayed}");
                    break;
                case HttpStatusCode.TooManyRequests or HttpStatusCode.InsufficientStorage:
                    if (attempt.Outcome == Outcome.InDoubt && !attempt.WasInDoubt) attempt.Outcome = Outcome.Refused;
                    break;
                case HttpStatusCode.ServiceUnavailable:
                    attempt.WasInDoubt = true;
                    break;
                default:
                    attempt.WasInDoubt = true;
                    ledger.Violated($"{attempt}: answered with {(int)answer.StatusCode} {body}");
                    break;
            }

            return true;
        }
        catch (Exception broken) when (broken is HttpRequestException or IOException or OperationCanceledException)
        {
            attempt.WasInDoubt = true;
            return false;
        }
    }

    /// <summary>Sends an append in doubt again until it is acknowledged; its ids make that harmless.</summary>
    public Task RetryAsync(HttpClient client, AppendAttempt attempt)
    {
        Ledger.Reopen(attempt);
        return Eventually.BecomesTrueAsync(
            $"{attempt} is acknowledged when it is sent again",
            async () => await SendAsync(client, attempt) && attempt.Outcome == Outcome.Acknowledged,
            TimeSpan.FromSeconds(20));
    }

    public AppendAttempt New(Random random, int writer)
    {
        var events = random.Next(3) == 0 ? random.Next(2, BatchEventsMax + 1) : 1;
        var identity = random.Next(3) switch { 0 => Identity.EventIds, 1 => Identity.IdempotencyKey, _ => Identity.None };
        var entity = entities[random.Next(entities.Count)];
        var attempt = new AppendAttempt(ledger.NextSerial(), writer, entity, events, events > 1 || random.Next(4) == 0, identity);
        ledger.Add(attempt);
        return attempt;
    }

    private static long Seq(JsonDocument answer, string name) => answer.RootElement.GetProperty(name).GetInt64();

    private async Task WriteAsync(HttpClient client, int writer, Random random, CancellationToken stop)
    {
        AppendAttempt? replay = null;
        while (!stop.IsCancellationRequested)
        {
            // Now and then an append that was acknowledged is sent again: it must be answered with the same seqs and stored once.
            var attempt = replay is not null && random.Next(20) == 0 ? replay : New(random, writer);
            if (!await SendAsync(client, attempt, stop)) return;
            if (attempt is { Outcome: Outcome.Acknowledged, Identity: not Identity.None }) replay = attempt;
        }
    }
}
