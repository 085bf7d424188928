using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary><c>/v1/admin/verify</c> and <c>/health/ready</c> with four shards, of which some are damaged.</summary>
public sealed class VerifyTests : IAsyncLifetime
{
    private const int Shards = 4;
    private readonly WarpApp _app = new() { MayFail = true };
    private readonly string[] _entities = new string[Shards];

    private Store Store => _app.Services.GetRequiredService<Store>();

    public async ValueTask InitializeAsync()
    {
        _app.Set("Warp:Shards", "4");
        _app.Set("Warp:VerifyInBackground", "false");
        _app.Set("Warp:SealAfter", "00:00:00.200");
        for (var i = 0; _entities.Contains(null) || i < 20; i++)
        {
            (await _app.PostAsync($"/v1/entities/user/{i}/events", """{"type":"Credited","payload":{"amount":5}}""")).ShouldBe(201);
            _entities[Store.ShardOf(System.Text.Encoding.UTF8.GetBytes($"user/{i}")).Index] ??= $"user/{i}";
        }

        await Eventually.BecomesTrueAsync("all is sealed", () => Store.AllShards.ToArray().All(s => s.Views.Current.Active.IsEmpty && s.Views.Current.Runs.Length > 0),
            TimeSpan.FromSeconds(30));
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    [Fact]
    public async Task A_verification_is_asked_for_looked_at_and_joined()
    {
        (await _app.GetAsync("/v1/admin/verify")).ShouldBeProblem(404, "verification-not-found");
        (await _app.DeleteAsync("/v1/admin/verify")).ShouldBeProblem(404, "verification-not-found");
        (await _app.PostAsync("/v1/admin/verify?deep=1", "")).ShouldBeProblem(400, "invalid-request");
        (await _app.SendAsync(HttpMethod.Post, "/v1/admin/verify", null, null, ("Accept", "text/html"))).ShouldBeProblem(406, "not-acceptable");

        var report = (await _app.SendAsync(HttpMethod.Post, "/v1/admin/verify")).ShouldBe(200);
        report["status"].GetString().ShouldBe("ok", report.Body);
        report["percent"].GetDouble().ShouldBe(100);
        report["problems"].GetArrayLength().ShouldBe(0);
        report["shards"].EnumerateArray().Select(s => s.GetProperty("shard").GetInt32()).ShouldBe([0, 1, 2, 3]);
        report["shards"].EnumerateArray().Sum(s => s.GetProperty("events").GetInt32()).ShouldBeGreaterThanOrEqualTo(20);
        (await _app.GetAsync("/v1/admin/verify")).ShouldBe(200).Body.ShouldBe(report.Body);

        var lines = (await _app.SendAsync(HttpMethod.Post, "/v1/admin/verify", null, null, ("Accept", "application/x-ndjson"))).ShouldBe(200).Lines;
        lines[^1].GetProperty("status").GetString().ShouldBe("ok");

        var accepted = (await _app.SendAsync(HttpMethod.Post, "/v1/admin/verify", null, null, ("Prefer", "respond-async"))).ShouldBe(202);
        accepted.Header("Location").ShouldBe("/v1/admin/verify");
        await Eventually.BecomesTrueAsync("it is done", async () => (await _app.GetAsync("/v1/admin/verify"))["status"].GetString() == "ok");
        (await _app.GetAsync("/metrics")).Body.ShouldContain("warp_verify_bytes");
    }

    [Fact]
    public async Task One_that_runs_can_be_stopped()
    {
        using var gate = new ManualResetEventSlim();
        Store.Verification.Include("gate", () =>
        {
            gate.Wait(TimeSpan.FromSeconds(30));
            return null;
        });
        (await _app.SendAsync(HttpMethod.Post, "/v1/admin/verify", null, null, ("Prefer", "respond-async"))).ShouldBe(202)["status"].GetString().ShouldBe("running");
        (await _app.GetAsync("/v1/admin/verify")).ShouldBe(200)["status"].GetString().ShouldBe("running");
        var stopping = _app.DeleteAsync("/v1/admin/verify");
        await Task.Delay(100, TestContext.Current.CancellationToken);
        gate.Set();
        (await stopping).ShouldBe(200)["status"].GetString().ShouldBe("stopped");
        (await _app.GetAsync("/health/ready")).ShouldBe(200)["status"].GetString().ShouldBe("ok");
    }

    [Fact]
    public async Task None_begins_while_the_service_stops()
    {
        await _app.GetAsync("/health/ready");
        Store.Verification.End(); // what the service does as soon as it is told to stop; it still answers calls then
        (await _app.SendAsync(HttpMethod.Post, "/v1/admin/verify")).ShouldBeProblem(503, "shutting-down");
        (await _app.GetAsync("/v1/admin/verify")).ShouldBeProblem(404, "verification-not-found");
    }

    [Fact]
    public async Task A_stop_of_the_service_ends_verifications_before_it_waits_for_calls()
    {
        await _app.GetAsync("/health/ready");
        var (verification, lifetime) = (Store.Verification, _app.Services.GetRequiredService<IHostApplicationLifetime>());
        lifetime.StopApplication();
        await Should.ThrowAsync<ShardUnavailableException>(() => verification.RunAsync());
    }

    [Fact]
    public async Task Readiness_names_the_shard_that_is_damaged_and_why_until_none_serves()
    {
        (await _app.GetAsync("/health/ready")).ShouldBe(200)["parts"].GetArrayLength().ShouldBe(0);
        var file = Damage(2);

        var report = (await _app.SendAsync(HttpMethod.Post, "/v1/admin/verify")).ShouldBe(200);
        report["status"].GetString().ShouldBe("damaged");
        var problem = report["problems"][0];
        (problem.GetProperty("shard").GetInt32(), problem.GetProperty("file").GetString()).ShouldBe((2, file));
        problem.GetProperty("where").GetString().ShouldBe("page 2");
        report.Body.ShouldNotContain("user/");

        var ready = (await _app.GetAsync("/health/ready")).ShouldBe(200);
        ready["status"].GetString().ShouldBe("degraded");
        var part = ready["parts"].EnumerateArray().ShouldHaveSingleItem().GetString()!;
        part.ShouldContain("Shard 2");
        part.ShouldContain(file);
        (await _app.GetAsync($"/v1/entities/{_entities[2]}/events")).ShouldBeProblem(503, "shard-unavailable");
        (await _app.PostAsync($"/v1/entities/{_entities[2]}/events", """{"type":"Credited"}""")).ShouldBeProblem(503, "shard-unavailable");
        foreach (var shard in new[] { 0, 1, 3 })
        {
            (await _app.GetAsync($"/v1/entities/{_entities[shard]}/events")).ShouldBe(200);
            (await _app.PostAsync($"/v1/entities/{_entities[shard]}/events", """{"type":"Credited"}""")).ShouldBe(201);
        }

        foreach (var shard in new[] { 0, 1, 3 }) Damage(shard);
        (await _app.SendAsync(HttpMethod.Post, "/v1/admin/verify")).ShouldBe(200)["problemsFound"].GetInt32().ShouldBe(4, "one for each page");
        var down = (await _app.GetAsync("/health/ready")).ShouldBeProblem(503, "shard-unavailable");
        down["parts"].EnumerateArray().Select(p => p.GetString()!.Split(' ')[1]).ShouldBe(["0", "1", "2", "3"]);
        (await _app.GetAsync("/health/live")).ShouldBe(200);
    }

    private string Damage(int shard)
    {
        var run = Store.AllShards[shard].Views.Current.Runs[0].Path;
        using var stream = new FileStream(run, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        stream.Position = 5000;
        var old = stream.ReadByte();
        stream.Position = 5000;
        stream.WriteByte((byte)(old ^ 1));
        return Path.GetRelativePath(Store.DirectoryPath, run);
    }
}
