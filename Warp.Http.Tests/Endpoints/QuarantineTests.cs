using Microsoft.Extensions.DependencyInjection;
using Warp.Http.Storage;

namespace Warp.Http.Tests.Endpoints;

/// <summary>One shard of several is found damaged while the service runs.</summary>
public sealed class QuarantineTests : IDisposable
{
    private const string Damaged = "kept/damaged";
    private readonly WarpApp _app = new() { MayFail = true };

    public QuarantineTests() => _app.Set("Warp:Shards", "4");

    private Store Store => _app.Services.GetRequiredService<Store>();

    public void Dispose() => _app.Dispose();

    [Fact]
    public async Task Calls_to_a_shard_that_is_damaged_in_service_answer_503_and_the_others_serve()
    {
        var names = Enumerable.Range(0, 40).Select(i => $"kept/k{i}").Append(Damaged).ToList();
        foreach (var name in names) (await _app.PostAsync($"/v1/entities/{name}/events", """{"type":"A","payload":{"n":1}}""")).ShouldBe(201);
        (await _app.GetAsync("/health/ready")).ShouldBe(200)["status"].GetString().ShouldBe("ok");

        var shard = ShardOf(Damaged);
        shard.Quarantine(new DamagedDataException("The test found run-1.db damaged."));
        shard.Quarantine(new DamagedDataException("A second reason says nothing new."));

        foreach (var name in names)
        {
            var serves = ShardOf(name).Index != shard.Index;
            foreach (var answer in await AskEverythingAsync(name))
            {
                if (serves) answer.Status.ShouldBeLessThan(300, answer.Body);
                else answer.ShouldBeProblem(503, "shard-unavailable").Header("Retry-After").ShouldNotBeNull();
            }
        }

        names.Select(n => ShardOf(n).Index).Distinct().Count().ShouldBe(4, "each shard was asked");
        (await _app.DeleteAsync($"/v1/entities/{Damaged}")).ShouldBeProblem(503, "shard-unavailable");
        var ready = (await _app.GetAsync("/health/ready")).ShouldBe(200);
        ready["status"].GetString().ShouldBe("degraded");
        ready["parts"].EnumerateArray().Single().GetString().ShouldBe($"Shard {shard.Index} is out of service: The test found run-1.db damaged.");

        // Other tests of this process may have damaged shards open, too.
        (await _app.GetAsync("/metrics")).Body.ShouldMatch(@"warp_shards_quarantined\{[^}]*\} [1-9]");
    }

    [Fact]
    public async Task With_all_shards_damaged_the_service_is_not_ready()
    {
        await _app.GetAsync("/health/ready");
        for (var i = 0; i < 4; i++) Store.AllShards[i].Quarantine(new DamagedDataException("The test says so."));

        (await _app.GetAsync("/health/ready")).ShouldBeProblem(503, "shard-unavailable")["parts"].GetArrayLength().ShouldBe(4);
        (await _app.GetAsync("/health/live")).ShouldBe(200);
    }

    [Fact]
    public async Task Why_a_shard_is_out_of_service_is_logged_once_and_not_with_each_call()
    {
        var log = new ErrorLog();
        _app.Log = log;
        (await _app.PostAsync($"/v1/entities/{Damaged}/events", """{"type":"A"}""")).ShouldBe(201);
        ShardOf(Damaged).Quarantine(new DamagedDataException("The test found run-1.db damaged."));
        for (var i = 0; i < 3; i++)
        {
            foreach (var answer in await AskEverythingAsync(Damaged)) answer.ShouldBeProblem(503, "shard-unavailable");
            (await _app.DeleteAsync($"/v1/entities/{Damaged}")).ShouldBeProblem(503, "shard-unavailable");
        }

        log.Entries.ShouldHaveSingleItem().ShouldContain("The test found run-1.db damaged.");
    }

    private async Task<List<Answer>> AskEverythingAsync(string name) =>
    [
        await _app.PostAsync($"/v1/entities/{name}/events", """{"type":"A","payload":{"n":2}}"""),
        await _app.PostAsync($"/v1/entities/{name}/events", """[{"type":"A"},{"type":"B"}]"""),
        await _app.GetAsync($"/v1/entities/{name}"),
        await _app.GetAsync($"/v1/entities/{name}/events"),
        await _app.GetAsync($"/v1/entities/{name}/aggregates/Default"),
        await _app.GetAsync($"/v1/entities/{name}/aggregates/Default?atSeq=1"),
    ];

    private Shard ShardOf(string name) => Store.ShardOf(System.Text.Encoding.UTF8.GetBytes(name));
}
