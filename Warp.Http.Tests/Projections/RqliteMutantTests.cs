using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Projections;

/// <summary>Defects of the store in a cluster that its tests must notice.</summary>
public sealed class RqliteMutantTests
{
    private const string Client = "Warp.Http.Projections.RqliteClient";
    private const string Answer = "Warp.Http.Projections.RqliteAnswer";
    private const string Store = "Warp.Http.Projections.RqliteProjectionStore";
    private const string Meanings = nameof(RqliteClientTests.An_answer_is_a_success_only_if_it_has_an_error_nowhere_and_a_result_for_each_statement);

    [Fact]
    public async Task Without_a_defect_a_test_passes_in_this_way_too() =>
        (await PassesAsync(typeof(RqliteProjectionStoreTests), nameof(RqliteProjectionStoreTests.A_batch_that_comes_through_without_an_answer_is_applied_once_and_told_as_done), _ => { })).ShouldBeTrue();

    [Fact]
    public async Task A_guard_that_lets_every_batch_through_is_noticed() => await IsNoticedAsync(
        typeof(RqliteProjectionStoreTests), nameof(ProjectionStoreTests.A_batch_that_expects_another_checkpoint_changes_nothing), mutant => mutant.ReplaceString(Store, "ApplyAsync", "THEN ? END", "THEN ? ELSE pos END"));

    [Fact]
    public async Task An_attempt_that_may_have_happened_and_is_forgotten_is_noticed() => await IsNoticedAsync(
        typeof(RqliteProjectionStoreTests), nameof(RqliteProjectionStoreTests.A_batch_that_comes_through_without_an_answer_is_applied_once_and_told_as_done),
        mutant => mutant.MakeBodyReturn("Warp.Http.Projections.RqliteReply", "get_WasUnknown", false));

    [Fact]
    public async Task An_error_at_the_top_that_is_overlooked_is_noticed() => await IsNoticedAsync(
        typeof(RqliteClientTests), Meanings, mutant => mutant.ReplaceString(Answer, "JudgeWhole", "error", "errors"));

    [Fact]
    public async Task Results_that_nobody_counts_are_noticed() => await IsNoticedAsync(
        typeof(RqliteClientTests), Meanings, mutant => mutant.NegateCondition(Answer, "JudgeWhole", "get_Count"));

    [Fact]
    public async Task An_attempt_that_says_something_else_than_the_one_before_is_noticed() => await IsNoticedAsync(
        typeof(RqliteClientTests), nameof(RqliteClientTests.What_is_sent_again_is_the_same_to_the_byte), mutant => mutant.SpoilArgument(Client, "TryAsync", "body"));

    private static async Task IsNoticedAsync(Type tests, string test, Action<AssemblyMutant> edit) => (await PassesAsync(tests, test, edit)).ShouldBeFalse("the test passes with the defect");

    private static async Task<bool> PassesAsync(Type tests, string test, Action<AssemblyMutant> edit)
    {
        using var mutant = AssemblyMutant.OfService();
        edit(mutant);
        return await MutantContext.PassesAsync(mutant, tests, test);
    }
}
