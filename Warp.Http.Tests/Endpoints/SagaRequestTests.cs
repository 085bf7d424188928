using static Warp.Http.Tests.Endpoints.SagaBodies;

namespace Warp.Http.Tests.Endpoints;

/// <summary>What is no saga is refused with the place that is wrong, and nothing of it is begun.</summary>
public sealed class SagaRequestTests(WarpApp app) : IClassFixture<WarpApp>
{
    private readonly string _run = Guid.NewGuid().ToString("N")[..12];

    private string Path => $"/v1/sagas/s-{_run}";

    [Theory]
    [InlineData("""[]""", "$")]
    [InlineData("""{}""", "$.steps")]
    [InlineData("""{"steps":[]}""", "$.steps")]
    [InlineData("""{"steps":{}}""", "$.steps")]
    [InlineData("""{"steps":[1]}""", "$.steps[0]")]
    [InlineData("""{"steps":[{}]}""", "$.steps[0].entity")]
    [InlineData("""{"steps":[{"entity":1}]}""", "$.steps[0].entity")]
    [InlineData("""{"steps":[{"entity":"user/a"}]}""", "$.steps[0].action")]
    [InlineData("""{"steps":[{"entity":"user/a","entity":"user/a"}]}""", "$.steps[0].entity")]
    [InlineData("""{"steps":[{"entity":"user/a","action":{}}]}""", "$.steps[0].action.type")]
    [InlineData("""{"steps":[{"entity":"user/a","action":{"type":"A","id":"1"}}]}""", "$.steps[0].action.id")]
    [InlineData("""{"steps":[{"entity":"user/a","action":{"type":"A","payload":1,"payload":1}}]}""", "$.steps[0].action.payload")]
    [InlineData("""{"steps":[{"entity":"user/a","action":{"type":"A\u0000"}}]}""", "$.steps[0].action.type")]
    [InlineData("""{"steps":[{"entity":"user/a","action":{"type":"A"},"aggregate":"1"}]}""", "$.steps[0].aggregate")]
    [InlineData("""{"steps":[{"entity":"user/a","action":{"type":"A"},"schemaVersion":0}]}""", "$.steps[0].schemaVersion")]
    [InlineData("""{"steps":[{"entity":"user/a","action":{"type":"A"},"expect":{"seq":-1}}]}""", "$.steps[0].expect.seq")]
    [InlineData("""{"steps":[{"entity":"user/a","action":{"type":"A"},"expect":{"when":"("}}]}""", "$.steps[0].expect.when")]
    [InlineData("""{"steps":[{"entity":"user/a","action":{"type":"A"},"expect":{"aggregate":"A"}}]}""", "$.steps[0].expect.when")]
    [InlineData("""{"steps":[{"entity":"user/a","action":{"type":"A"},"more":1}]}""", "$.steps[0].more")]
    [InlineData("""{"steps":[{"entity":"user/a","action":{"type":"A"}}],"timeout":"1h"}""", "$.timeout")]
    [InlineData("""{"steps":[{"entity":"user/a","action":{"type":"A"}}],"timeout":"99ms"}""", "$.timeout")]
    [InlineData("""{"steps":[{"entity":"user/a","action":{"type":"A"}}],"timeout":"61m"}""", "$.timeout")]
    [InlineData("""{"steps":[{"entity":"user/a","action":{"type":"A"}}],"more":1}""", "$.more")]
    public async Task What_is_wrong_with_a_saga_is_told_with_its_place(string body, string path)
    {
        var refused = (await app.PostAsync(Path, body)).ShouldBeProblem(400, "invalid-request");

        refused["errors"].EnumerateObject().Single().Name.ShouldBe(path, refused.Body);
        (await app.GetAsync(Path)).ShouldBeProblem(404, "saga-not-found");
    }

    [Fact]
    public async Task Names_sizes_and_media_types_have_their_limits()
    {
        var one = Credit("user/a", 1);
        (await app.PostAsync("/v1/sagas/-x", Saga(one))).ShouldBeProblem(400, "invalid-request");
        (await app.PostAsync("/v1/sagas/" + new string('x', 121), Saga(one))).ShouldBeProblem(400, "invalid-request");
        (await app.PostAsync(Path, $$"""{"steps":[{{Credit("user", 1)}}]}""")).ShouldBeProblem(400, "invalid-entity-id")["errors"].EnumerateObject().Single().Name.ShouldBe("$.steps[0].entity");
        (await app.PostAsync(Path, "{")).ShouldBeProblem(400, "invalid-json");
        (await app.SendAsync(HttpMethod.Post, Path, "{}", "text/plain")).ShouldBeProblem(415, "unsupported-media-type");
        var many = (await app.PostAsync(Path, Saga([.. Enumerable.Repeat(one, 101)]))).ShouldBeProblem(413, "payload-too-large");
        (many["limit"].GetInt64(), many["actual"].GetInt64()).ShouldBe((100, 101));
    }

    [Fact]
    public async Task A_hundred_steps_on_one_entity_run_in_order()
    {
        await app.PutAsync("/v1/aggregates/Account", Account);
        var alice = $"user/alice-{_run}";

        var hundred = await app.PostAsync(Path, Saga([.. Enumerable.Repeat(Credit(alice, 1), 100)]));

        hundred.ShouldBe(200)["resultType"].GetString().ShouldBe("COMMITTED");
        hundred["steps"].EnumerateArray().Select(step => step.GetProperty("seq").GetInt64()).ShouldBe(Enumerable.Range(1, 100).Select(seq => (long)seq));
        (await app.GetAsync($"/v1/entities/{alice}/aggregates/Account"))["state"].GetProperty("balance").GetInt32().ShouldBe(100);
    }
}
