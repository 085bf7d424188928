namespace Warp.Http.Tests.Endpoints;

/// <summary>A setting that is not the default holds everywhere, and what it refuses names it.</summary>
public sealed class SettingTests
{
    [Fact]
    public async Task A_page_without_a_limit_is_no_longer_than_the_limit_allows()
    {
        await using var app = new WarpApp();
        app.Set("Warp:Limits:HistoryLimit", "5");
        for (var i = 0; i < 7; i++) await app.PostAsync($"/v1/entities/user/{i}/events", """[{"type":"A"},{"type":"B"},{"type":"C"},{"type":"D"},{"type":"E"},{"type":"F"}]""");

        (await app.GetAsync("/v1/entities/user/1/events")).ShouldBe(200)["events"].GetArrayLength().ShouldBe(5);
        (await app.GetAsync("/v1/entities")).ShouldBe(200)["entities"].GetArrayLength().ShouldBe(5);
        (await app.GetAsync("/v1/entities/user/1/events?limit=6")).ShouldBeProblem(400, "invalid-request");
    }

    [Fact]
    public async Task A_disk_with_less_room_than_is_kept_free_refuses_appends_and_sagas_and_says_so()
    {
        await using var app = new WarpApp { MayFail = true };
        app.Set("Warp:FreeBytesMin", "9000000000000000");

        var append = (await app.PostAsync("/v1/entities/user/a/events", """{"type":"A"}""")).ShouldBeProblem(507, "storage-full");
        append["detail"].GetString()!.ShouldContain("9000000000000000 bytes free (Warp__FreeBytesMin)");
        var saga = await app.PostAsync("/v1/sagas/s", """{"steps":[{"entity":"user/a","action":{"type":"A"}}],"timeout":"100ms"}""");
        saga.ShouldBeProblem(507, "storage-full")["detail"].GetString().ShouldBe(append["detail"].GetString());
        (await app.GetAsync("/v1/sagas/s")).ShouldBeProblem(404, "saga-not-found");
    }
}
