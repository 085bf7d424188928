using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Warp.Http.Endpoints;
using Warp.Http.Events;

namespace Warp.Http.Tests.Endpoints;

/// <summary>An entity's name has one raw form that is read, and one way of reading it.</summary>
public sealed class RequestTargetTests
{
    [Theory]
    [InlineData("/v1/entities/user/alice", "user/alice", "")]
    [InlineData("/V1/Entities/user/Alice", "user/Alice", "")]
    [InlineData("/v1/entities/user/alice?x=/../y", "user/alice", "")]
    [InlineData("/v1/entities/user/alice/events", "user/alice", "/events")]
    [InlineData("http://localhost:9090/v1/entities/user/alice/events?limit=1", "user/alice", "/events")]
    [InlineData("/v1/entities/%75ser/al%69ce", "user/alice", "")]
    [InlineData("/v1/entities/user/%C3%A9", "user/é", "")]
    [InlineData("/v1/entities/user/e%CC%81", "user/e\u0301", "")]
    [InlineData("/v1/entities/user/a+b%20c%3F%23%25", "user/a+b c?#%", "")]
    [InlineData("/v1/entities/user/%252e", "user/%2e", "")]
    [InlineData("/v1/entities/user/...", "user/...", "")]
    [InlineData("/v1/entities/user/.hidden", "user/.hidden", "")]
    [InlineData("/v1/entities/order-2.x_y/;a=b,c", "order-2.x_y/;a=b,c", "")]
    public void A_name_is_decoded_once(string target, string name, string rest)
    {
        var (problem, read, tail) = Read(target);

        problem.ShouldBeNull();
        (read, tail).ShouldBe((name, rest));
    }

    [Theory]
    [InlineData("/v1/entities/user/")]
    [InlineData("/v1/entities//alice")]
    [InlineData("/v1/entities/User/alice")]
    [InlineData("/v1/entities/1user/alice")]
    [InlineData("/v1/entities/us%20er/alice")]
    [InlineData("/v1/entities/user/a%2Fb")]
    [InlineData("/v1/entities/user/a%2fb")]
    [InlineData("/v1/entities/us%2Fer/alice")]
    [InlineData("/v1/entities/user/a%5Cb")]
    [InlineData("/v1/entities/user/a\\b")]
    [InlineData("/v1/entities/user/a%")]
    [InlineData("/v1/entities/user/a%4")]
    [InlineData("/v1/entities/user/a%4g")]
    [InlineData("/v1/entities/user/a%+4")]
    [InlineData("/v1/entities/user/%C0%AE")]
    [InlineData("/v1/entities/user/%ED%A0%80")]
    [InlineData("/v1/entities/user/%FF")]
    [InlineData("/v1/entities/user/%C2%85")]
    [InlineData("/v1/entities/user/é")]
    public void A_name_that_breaks_a_rule_is_refused(string target) => Read(target).Problem.ShouldNotBeNull().Type.ShouldBe("invalid-entity-id");

    [Theory]
    [InlineData("/v1/entities/user/alice/../bob")]
    [InlineData("/v1/entities/user/alice/%2e%2e/bob")]
    [InlineData("/v1/entities/user/alice/.%2E/bob")]
    [InlineData("/v1/entities/user/%2e")]
    [InlineData("/v1/entities/user/..")]
    [InlineData("/./v1/info")]
    [InlineData("/v1/entities/user/a%0d%0aX:y")]
    [InlineData("/v1/entities/user/a%00")]
    [InlineData("/v1/entities/user/a%7f")]
    [InlineData("http://localhost/v1/entities/user/%2e%2e/x")]
    public void A_path_that_would_be_resolved_or_has_controls_is_refused_before_routing(string target) =>
        RequestTarget.Check(RequestTarget.PathOf(target)).ShouldNotBeNull().Status.ShouldBe(400);

    [Fact]
    public void A_fragment_is_refused_and_a_name_with_its_sign_is_not()
    {
        RequestTarget.CheckFragment("/v1/entities/user/a#b").ShouldNotBeNull().Status.ShouldBe(400);
        RequestTarget.CheckFragment("/v1/entities/user/a%23b").ShouldBeNull();
    }

    [Theory]
    [InlineData("/v1/entities/user/a.b..c")]
    [InlineData("/v1/entities/user/...")]
    [InlineData("/v1/entities/user/.a")]
    [InlineData("/v1/entities/user/%C3%A9%20x")]
    [InlineData("/")]
    [InlineData("*")]
    public void A_path_that_is_in_order_passes(string target) => RequestTarget.Check(RequestTarget.PathOf(target)).ShouldBeNull();

    [Theory]
    [InlineData("/v1/%65ntities/user/alice")]
    [InlineData("/v1/entities/user")]
    public void Another_spelling_of_the_path_is_another_path(string target) => Read(target).Problem.ShouldNotBeNull().Type.ShouldBe("route-not-found");

    [Theory]
    [InlineData(256, true)]
    [InlineData(257, false)]
    [InlineData(5000, false)]
    public void An_id_has_at_most_its_limit_of_bytes(int bytes, bool accepted)
    {
        (Read("/v1/entities/user/" + new string('a', bytes)).Problem is null).ShouldBe(accepted);
        var encoded = string.Concat(Enumerable.Repeat("%C3%A9", bytes / 2)) + new string('a', bytes % 2);
        (Read("/v1/entities/user/" + encoded).Problem is null).ShouldBe(accepted);
    }

    [Theory]
    [InlineData(64, true)]
    [InlineData(65, false)]
    [InlineData(1000, false)]
    public void A_kind_has_at_most_its_limit_of_characters(int characters, bool accepted) =>
        (Read($"/v1/entities/{new string('k', characters)}/a").Problem is null).ShouldBe(accepted);

    [Fact]
    public void Both_at_their_limit_fit_together() =>
        Read($"/v1/entities/{new string('k', 64)}/{new string('a', 256)}/events").Problem.ShouldBeNull();

    private static (Problem? Problem, string Name, string Tail) Read(string target)
    {
        var limits = new Limits();
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpRequestFeature>(new HttpRequestFeature { RawTarget = target });
        Span<byte> name = stackalloc byte[RequestTarget.NameBytesMax(limits)];
        var problem = RequestTarget.ReadEntity(context, limits, name, out var length, out var rest);
        return (problem, Encoding.UTF8.GetString(name[..length]), rest.ToString());
    }
}
