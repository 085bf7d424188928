using System.Text;
using Microsoft.Extensions.Time.Testing;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Entities;

public sealed class StateTimeTests
{
    [Theory]
    [InlineData("2026-11-26T04:17:46.670Z")]
    [InlineData("2026-11-26T04:17:46.000Z")]
    public async Task A_states_time_has_the_form_of_every_other(string time)
    {
        using var directory = new TempDirectory("state-time");
        using var fixture = new StoreFixture(
            StoreFixture.Small(directory.Path), time: new FakeTimeProvider(DateTimeOffset.Parse(time, System.Globalization.CultureInfo.InvariantCulture)));
        await fixture.AppendAsync("user/a", new TestEvent("A"));

        var state = await (await fixture.ActorAsync("user/a")).GetStateAsync("Default", CancellationToken.None);

        Encoding.UTF8.GetString(state.Snapshot!.Body.Span).ShouldContain($"\"updatedAt\":\"{time}\"");
    }
}
