using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Projections;

/// <summary>Defects of projections that their tests must notice.</summary>
public sealed class ProjectionMutantTests
{
    [Fact]
    public async Task A_checkpoint_without_its_rows_is_noticed() => await IsNoticedAsync(
        "*SqliteProjectionStoreTests.A_batch_that_fails_on_the_way_changes_nothing",
        mutant => mutant.ReplaceString("Warp.Http.Storage.SqliteDatabase", "InTransaction", "BEGIN IMMEDIATE", "SELECT 1").ReplaceString("Warp.Http.Storage.SqliteDatabase", "InTransaction", "COMMIT", "SELECT 1"));

    [Fact]
    public async Task A_checkpoint_that_nobody_guards_is_noticed() => await IsNoticedAsync(
        "*SqliteProjectionStoreTests.A_batch_that_expects_another_checkpoint_changes_nothing",
        mutant => mutant.ReplaceString("Warp.Http.Projections.SqliteProjectionStore/TableStatements", ".ctor", " AND pos = ?", " OR pos = ?"));

    [Fact]
    public async Task A_row_that_a_lower_seq_replaces_is_noticed() => await IsNoticedAsync(
        "*SqliteProjectionStoreTests.A_row_of_a_state_is_replaced_only_by_a_higher_seq",
        mutant => mutant.ReplaceString("Warp.Http.Projections.ProjectionSql", "Upsert", " > ", " <> "));

    [Fact]
    public async Task A_row_that_stays_after_its_entity_s_erasure_is_noticed() => await IsNoticedAsync(
        "*ProjectorTests.An_erased_entity_has_no_row_and_a_new_life_has_its_own",
        mutant => mutant.RemoveCall("Warp.Http.Projections.ProjectionRun", "Erase", "Add"));

    [Fact]
    public async Task An_erasure_that_is_told_before_the_files_are_clean_is_noticed() => await IsNoticedAsync(
        "*ProjectionFaultTests.An_erasure_is_complete_only_when_the_tables_have_it",
        mutant => mutant.MakeBodyReturn("Warp.Http.Projections.ProjectionLoop", "get_MustPurge", false));

    private static async Task IsNoticedAsync(string test, Action<AssemblyMutant> edit)
    {
        using var mutant = AssemblyMutant.OfService();
        edit(mutant);
        (await TestsUnderMutant.PassesAsync(mutant, test)).ShouldBeFalse("the test passes with the defect");
    }
}
