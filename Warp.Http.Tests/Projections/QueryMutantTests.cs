using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Projections;

/// <summary>A wall that is missing is noticed, whatever stands behind it.</summary>
public sealed class QueryMutantTests
{
    private const string Connection = "Warp.Http.Projections.QueryConnection";

    /// <summary>SQLITE_OPEN_READONLY and SQLITE_OPEN_READWRITE, each with SQLITE_OPEN_NOMUTEX.</summary>
    private const int ReadOnly = 0x8001, ReadWrite = 0x8002;

    [Fact]
    public async Task Without_a_defect_the_tests_pass_in_this_way_too() => (await PassesAsync(nameof(QueryConnectionTests.A_statement_is_cut_at_its_time), _ => { })).ShouldBeTrue();

    [Fact]
    public async Task A_guard_that_allows_everything_is_noticed() => await IsNoticedAsync(
        nameof(QueryConnectionTests.What_no_projection_shows_is_not_read), mutant => mutant.MakeBodyReturn("Warp.Http.Projections.SqlGuard", "Authorize", 0));

    [Fact]
    public async Task A_file_that_is_opened_for_writing_is_noticed() => await IsNoticedAsync(
        nameof(QueryConnectionTests.A_file_is_as_it_was_even_after_the_last_that_had_it_open), mutant => mutant.ReplaceNumber(Connection, "Open", ReadOnly, ReadWrite));

    [Fact]
    public async Task A_clock_that_nobody_looks_at_is_noticed() => await IsNoticedAsync(
        nameof(QueryConnectionTests.A_statement_is_cut_at_its_time), mutant => mutant.RemoveCall(Connection, "Answer", "sqlite3_progress_handler"));

    [Fact]
    public async Task Reserved_names_that_are_let_through_are_noticed() => await IsNoticedAsync(
        nameof(QueryConnectionTests.A_reserved_name_is_refused_even_where_a_WITH_makes_it_look_like_a_projection_s), mutant => mutant.RemoveCall(Connection, "Run", "Contains"));

    private static async Task IsNoticedAsync(string test, Action<AssemblyMutant> edit) => (await PassesAsync(test, edit)).ShouldBeFalse("the test passes with the defect");

    private static async Task<bool> PassesAsync(string test, Action<AssemblyMutant> edit)
    {
        using var mutant = AssemblyMutant.OfService();
        edit(mutant);
        return await MutantContext.PassesAsync(mutant, typeof(QueryConnectionTests), test);
    }
}
