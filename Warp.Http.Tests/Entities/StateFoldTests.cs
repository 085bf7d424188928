using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Entities;

/// <summary>A fold goes page by page, each bounded by what it costs, so that nobody waits long for a reader's thread or for a stop.</summary>
public sealed class StateFoldTests : IDisposable
{
    /// <summary>About 140,000 steps an event.</summary>
    private const string Dear = """{"initial":{"n":0},"on":{"Added":{"n":"payload.list.map(a, payload.list.filter(b, b == a).size()).size() + state.n"}}}""";

    private readonly TempDirectory _directory = new("folds");
    private readonly StoreFixture _fixture;

    public StateFoldTests() => _fixture = new StoreFixture(StoreFixture.Small(_directory.Path, sealBytes: 64 << 20));

    public void Dispose()
    {
        _fixture.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData(Dear, """{"list":[LIST]}""", 6)]
    [InlineData("""{"initial":{"n":0},"on":{"Added":{"n":"state.n + 1"}}}""", """{"text":"TEXT"}""", 11)]
    [InlineData("""{"initial":{"n":0},"on":{"Added":{"m":"payload","n":"state.n + 1"},"Begun":{}},"otherwise":"merge"}""", "{}", 6, 200_000)]
    public async Task A_page_is_bounded_by_steps_bytes_and_copies(string definition, string payload, int eventsMax, int members = 0)
    {
        Define(definition);
        var big = $"{{{string.Join(',', Enumerable.Range(0, members).Select(i => $"\"m{i}\":0"))}}}";
        if (members > 0) await AppendAsync(new TestEvent("Merged", big, Aggregate: "A"));
        var added = new TestEvent(
            "Added",
            payload.Replace("LIST", string.Join(',', Enumerable.Range(0, 180)), StringComparison.Ordinal).Replace("TEXT", new string('x', 400_000), StringComparison.Ordinal),
            Aggregate: "A");
        for (var i = 0; i < 10; i++) await AppendAsync([.. Enumerable.Repeat(added, 3)]);
        await _fixture.SealAsync();
        var (actor, fold) = await BeginAsync();

        var pages = 0;
        for (var covered = 0L; !fold.TryAdvance(actor.DurableSeq, mayReadDisk: true, out var failure); covered = fold.Covered, pages++)
        {
            failure.ShouldBeNull();
            (fold.Covered - covered).ShouldBeInRange(1, eventsMax, $"page {pages}");
        }

        pages.ShouldBeGreaterThan(1);
        fold.Covered.ShouldBe(actor.DurableSeq);
        var inOneGo = await _fixture.StateAsync("box/1", "A");
        Encoding.UTF8.GetString(fold.Render(fold.Covered, definitions: null).State.Span).ShouldBe(inOneGo);
    }

    [Fact]
    public async Task A_fold_that_is_given_up_ends_after_its_page_and_the_next_reader_goes_on()
    {
        Define(Dear);
        await AppendAsync([.. Enumerable.Repeat(new TestEvent("Added", """{"list":[1,2,3]}""", Aggregate: "A"), 20)]);
        await _fixture.SealAsync();
        var (actor, fold) = await BeginAsync();
        using var given = new CancellationTokenSource();
        await given.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(async () => await fold.AdvanceAsync(actor.DurableSeq, long.MaxValue, given.Token));
        await Should.ThrowAsync<OperationCanceledException>(async () => await actor.GetStateAsync("A", given.Token));
        await Should.ThrowAsync<OperationCanceledException>(async () => await actor.GetStateAtAsync("A", 5, null, given.Token));
        fold.Covered.ShouldBe(0);
        (await _fixture.StateAsync("box/1", "A")).ShouldBe("""{"n":60}""");
    }

    [Fact]
    public async Task Rules_are_judged_over_as_many_pages_as_it_takes()
    {
        Define(Dear);
        var added = new TestEvent("Added", $$"""{"list":[{{string.Join(',', Enumerable.Range(0, 180))}}]}""", Aggregate: "A");
        for (var i = 0; i < 5; i++) await AppendAsync([.. Enumerable.Repeat(added, 4)]);
        Define(Dear[..^1] + ""","invariants":[{"rule":"state.n <= 3780","message":"full"}]}""");

        (await _fixture.AppendAsync("box/1", added)).Status.ShouldBe(AppendStatus.Appended);
        (await _fixture.AppendAsync("box/1", added)).Status.ShouldBe(AppendStatus.InvariantViolated);
        await _fixture.SealAsync();
        _fixture.Passivation.Sweep();
        (await _fixture.AppendAsync("box/1", added)).Status.ShouldBe(AppendStatus.InvariantViolated);
    }

    /// <summary>A caller may name another aggregate with each event.</summary>
    [Fact]
    public async Task The_background_keeps_few_names_of_an_entity_with_many_aggregates()
    {
        await AppendAsync([.. Enumerable.Range(0, 500).Select(i => new TestEvent("A", Aggregate: $"A{i}"))]);
        var actor = await _fixture.ActorAsync("box/1");
        await actor.StoreStatesAsync(TestContext.Current.CancellationToken);
        await AppendAsync([.. Enumerable.Range(500, 500).Select(i => new TestEvent("A", Aggregate: $"A{i}"))]);
        await actor.StoreStatesAsync(TestContext.Current.CancellationToken);

        actor.Published!.States.Grown!.Names.ShouldBe(Enumerable.Range(0, GrownAggregates.NamesMax).Select(i => $"A{i}"));
        (await _fixture.StateAsync("box/1", "A777")).ShouldBe("{}");
    }

    private void Define(string definition) => _fixture.Definitions.Put("A", Encoding.UTF8.GetBytes(definition)).Errors.ShouldBeEmpty();

    private async Task AppendAsync(params TestEvent[] events) => (await _fixture.AppendAsync("box/1", events)).Status.ShouldBe(AppendStatus.Appended);

    private async Task<(EntityActor Actor, StateFold Fold)> BeginAsync()
    {
        var actor = await _fixture.ActorAsync("box/1");
        return (actor, new StateFold(actor, actor.Published!, "A", _fixture.Definitions.Current));
    }
}
