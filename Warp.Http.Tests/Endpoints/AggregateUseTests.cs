using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Warp.Http.Aggregates;

namespace Warp.Http.Tests.Endpoints;

/// <summary>A definition that something can't do without is not deleted.</summary>
public sealed class AggregateUseTests(AggregateUseTests.UsingApp app) : IClassFixture<AggregateUseTests.UsingApp>
{
    [Fact]
    public async Task A_definition_in_use_is_not_deleted_and_its_users_are_named()
    {
        await app.PutAsync("/v1/aggregates/Account", "{}");
        await app.PutAsync("/v1/aggregates/Order", "{}");
        app.User.Uses["Account"] = ["projection totals", "projection accounts"];

        var refused = (await app.DeleteAsync("/v1/aggregates/Account")).ShouldBeProblem(409, "in-use");
        refused["users"].EnumerateArray().Select(u => u.GetString()).ShouldBe(["projection accounts", "projection totals"]);
        refused["detail"].GetString().ShouldBe("\"Account\" is used by projection accounts, projection totals; delete that first.");
        (await app.GetAsync("/v1/aggregates/Account")).ShouldBe(200)["version"].GetInt32().ShouldBe(1);
        (await app.PutAsync("/v1/aggregates/Account", """{"strict":true}""")).ShouldBe(200);
        (await app.DeleteAsync("/v1/aggregates/Order")).ShouldBe(204);
        (await app.DeleteAsync("/v1/aggregates/None")).ShouldBeProblem(404, "aggregate-not-found");

        app.User.Uses.Clear();
        (await app.DeleteAsync("/v1/aggregates/Account")).ShouldBe(204);
    }

    public sealed class UsingApp : WarpApp
    {
        internal FakeUser User { get; } = new();

        protected override void ConfigureWebHost(IWebHostBuilder builder)
        {
            base.ConfigureWebHost(builder);
            builder.ConfigureTestServices(services => services.AddSingleton<IAggregateUser>(User));
        }
    }

    internal sealed class FakeUser : IAggregateUser
    {
        public Dictionary<string, string[]> Uses { get; } = new(StringComparer.Ordinal);

        public IReadOnlyCollection<string> UsersOf(string aggregate) => Uses.GetValueOrDefault(aggregate, []);
    }
}
