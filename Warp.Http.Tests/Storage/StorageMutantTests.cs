using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>Defects of feed and verification that their tests must notice.</summary>
public sealed class StorageMutantTests
{
    private const string FeedModel = "*Each_event_of_a_living_entity_comes_once_and_in_order_whatever_happens_to_the_files";

    [Fact]
    public async Task A_place_that_forgets_where_its_range_ends_is_noticed() => await IsNoticedAsync(
        FeedModel, mutant => mutant.MakeBodyReturn("Warp.Http.Storage.FeedReader", "HasEnd", false));

    [Fact]
    public async Task A_place_whose_own_position_is_read_again_is_noticed() => await IsNoticedAsync(
        FeedModel, mutant => mutant.OffBy("Warp.Http.Storage.FeedReader/RangeVisitor", "Visit", "get_Position", -1));

    [Fact]
    public async Task A_page_that_does_not_note_what_it_found_empty_is_noticed() => await IsNoticedAsync(
        "*A_page_moves_on_though_more_pieces_than_it_looks_at_have_nothing_in_its_range",
        mutant => mutant.RemoveCall("Warp.Http.Storage.FeedReader/RangeVisitor", "Choose", "SkipTo"));

    [Fact]
    public async Task A_page_that_begins_at_the_first_piece_of_its_entity_is_noticed() => await IsNoticedAsync(
        "*A_page_begins_where_its_place_is_however_many_pieces_of_the_entity_lie_before",
        mutant => mutant.MakeBodyReturn("Warp.Http.Storage.FeedReader/RangeVisitor", "get_FirstSeq", 1L));

    [Fact]
    public async Task A_verification_that_does_not_look_at_positions_is_noticed() => await IsNoticedAsync(
        "*Positions_that_are_used_twice_are_found", mutant => mutant.RemoveCall("Warp.Http.Storage.PieceCheck", "Visit", "CheckPositions"));

    [Fact]
    public async Task A_verification_that_does_not_look_at_pieces_is_noticed() => await IsNoticedAsync(
        "*A_piece_that_was_changed_under_right_checksums_of_pages_is_found",
        mutant => mutant.RemoveCall("Warp.Http.Storage.RunCheck", "Check", "CheckPieces"));

    [Fact]
    public async Task A_verification_that_forgets_which_journals_it_has_seen_is_noticed() => await IsNoticedAsync(
        "*A_journal_that_was_checked_may_be_sealed_with_its_neighbour_before_that_is_looked_at",
        mutant => mutant.RemoveCall("Warp.Http.Storage.ShardCheck", "CheckMemtable", "Max"));

    [Fact]
    public async Task An_erasure_that_does_not_wait_for_a_file_that_cannot_be_unlinked_is_noticed() => await IsNoticedAsync(
        "*A_replaced_run_that_cannot_be_unlinked_keeps_its_erasure_from_being_complete",
        mutant => mutant.RemoveCall("Warp.Http.Storage.RunRewriter", "UnlinkLeft", "Delete"));

    [Fact]
    public async Task A_run_that_is_unlinked_though_its_shard_was_found_damaged_is_noticed() => await IsNoticedAsync(
        "*A_replaced_run_that_is_still_read_when_its_shard_is_found_damaged_keeps_its_file",
        mutant => mutant.MakeBodyReturn("Warp.Http.Storage.RunRewriter", "get_MayUnlink", true));

    [Fact]
    public async Task A_filter_that_always_says_maybe_is_noticed() => await IsNoticedAsync(
        "*A_new_entity_costs_hardly_a_read_of_a_run", mutant => mutant.MakeBodyReturn("Warp.Http.Storage.BloomFilter", "MayContain", true));

    [Fact]
    public async Task A_start_that_takes_whatever_it_meets_for_damage_is_noticed() => await IsNoticedAsync(
        "*At_each_look_at_a_file_it_ends_the_start_in_a_line_and_leaves_every_file_as_it_was",
        mutant => mutant.MakeBodyReturn("Warp.Http.Storage.ReadFailure", "IsDamage", true));

    [Fact]
    public async Task A_start_that_changes_files_before_it_has_read_all_is_noticed() => await IsNoticedAsync(
        "*At_each_look_at_a_file_it_ends_the_start_in_a_line_and_leaves_every_file_as_it_was",
        mutant => mutant.CallAtStart("Warp.Http.Storage.ShardRecovery", "CompareWithMark", "Settle"));

    [Fact]
    public async Task A_start_that_keeps_what_failed_starts_left_is_noticed() => await IsNoticedAsync(
        "*Starts_that_fail_leave_no_more_files_the_more_there_are", mutant => mutant.RemoveCall("Warp.Http.Storage.ShardRecovery", "Settle", "Sealed"));

    private static async Task IsNoticedAsync(string test, Action<AssemblyMutant> edit)
    {
        using var mutant = AssemblyMutant.OfService();
        edit(mutant);
        (await TestsUnderMutant.PassesAsync(mutant, test)).ShouldBeFalse("the test passes with the defect");
    }
}
