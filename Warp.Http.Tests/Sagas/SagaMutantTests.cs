using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Sagas;

/// <summary>Defects of sagas that their fault tests must notice.</summary>
public sealed class SagaMutantTests
{
    private const string DoneOnce = "*A_saga_whose_process_ends_at_any_append_is_done_once";
    private const string RefusedOnce = "*What_was_refused_once_is_not_done_after_all_beside_its_compensations";

    [Fact]
    public async Task Actions_without_an_id_that_follows_from_the_step_are_noticed() => await IsNoticedAsync(
        DoneOnce, mutant => mutant.MakeBodyReturn("Warp.Http.Sagas.SagaIds", "WriteEventId", 0));

    /// <summary>Memory says that a step was refused, the log does not say it yet, and compensations go out.</summary>
    [Fact]
    public async Task Compensations_that_go_out_before_the_refusal_is_durable_are_noticed() => await IsNoticedAsync(
        RefusedOnce, mutant => mutant.RemoveCall("Warp.Http.Sagas.SagaLog", "WriteAsync", "AppendAsync"));

    [Fact]
    public async Task A_saga_that_undoes_nothing_is_noticed() => await IsNoticedAsync(
        RefusedOnce, mutant => mutant.MakeBodyReturn("Warp.Http.Sagas.SagaRun", "IsToBeUndone", false));

    [Fact]
    public async Task A_step_that_lands_in_whatever_life_there_is_is_noticed() => await IsNoticedAsync(
        "*A_saga_that_stopped_before_its_party_was_erased_undoes_the_others_and_never_touches_the_new_life",
        mutant => mutant.MakeBodyReturn("Warp.Http.Sagas.Parties", "IsErased", false).MakeBodyReturn("Warp.Http.Entities.EntityActor", "IsBoundTo", true)
            .RemoveCall("Warp.Http.Sagas.PartyErasure", "EraseAsync", "EraseCompanionAsync"));

    [Fact]
    public async Task Steps_that_outlive_their_party_are_noticed() => await IsNoticedAsync(
        "*A_crash_between_the_two_fences_is_made_up_for_by_the_next_start",
        mutant => mutant.RemoveCall("Warp.Http.Sagas.PartyErasure", "TryEraseAsync", "EraseCompanionAsync"));

    private static async Task IsNoticedAsync(string test, Action<AssemblyMutant> edit)
    {
        using var mutant = AssemblyMutant.OfService();
        edit(mutant);
        (await TestsUnderMutant.PassesAsync(mutant, test)).ShouldBeFalse("the test passes with the defect");
    }
}
