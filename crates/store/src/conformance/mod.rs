//! What every backend must do, as tests that know no backend.
//!
//! A backend says how it opens an empty store ([`Backend`]) and calls `conformance_tests!`, which
//! makes one test of each claim. The claims see only the traits and what the follower was told.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a suite of tests: each of these is a failed claim"
)]

pub mod actors;
pub mod admins;
pub mod audit;
pub mod idempotency;
pub mod lists;
pub mod model;
pub mod narrowing;
pub mod owners;
pub mod postgres;
pub mod publication;
pub mod revocation;
pub mod rotation;
mod scene;
pub mod sets;
pub mod tokens;
pub mod uses;

use crate::{Follower, Store};
use async_trait::async_trait;
use std::sync::Arc;

/// Opens stores to be tested.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The store of that name with this follower: an empty one at first; afterwards what was left
    /// there, as after a restart. Nobody uses what was opened under the name before.
    async fn open(&self, name: &str, follower: Arc<dyn Follower>) -> Arc<dyn Store>;
}

/// One test of each claim, for the backend that the expression makes.
#[macro_export]
macro_rules! conformance_tests {
    ($backend:expr) => {
        $crate::conformance_tests! { @each $backend;
            actors::actor_that_is_not_in_force_changes_nothing,
            actors::token_changes_nothing_once_it_lost_what_it_was_let_in_for,
            actors::token_may_always_revoke_itself,
            actors::token_that_is_still_allowed_what_it_was_let_in_for_acts,
            admins::expired_successor_gives_the_place_back,
            admins::last_one_is_kept_through_its_last_day,
            admins::last_token_that_can_administer_is_kept,
            admins::lesser_admin_tokens_end_like_any_other,
            admins::revoked_successor_leaves_the_old_one_to_administer,
            admins::second_one_makes_the_first_ordinary,
            admins::successor_of_the_last_one_takes_its_place,
            admins::what_cannot_administer_everything_is_no_second_one,
            audit::chain_holds_and_each_mutation_has_exactly_one_entry,
            audit::entries_say_who_did_what_and_never_a_secret,
            audit::refused_mutations_leave_no_trace,
            idempotency::creation_asked_for_again_answers_what_was_made,
            idempotency::creation_that_was_refused_is_not_remembered,
            idempotency::key_is_forgotten_after_a_day,
            idempotency::key_used_for_something_else_is_refused,
            idempotency::many_with_one_key_make_one,
            lists::audit_entries_are_listed_in_order_from_a_cursor,
            lists::audit_filters_hold_together_and_the_head_is_the_last,
            lists::each_token_stands_in_exactly_one_way_at_each_moment,
            lists::lists_of_a_tenant_leave_everybody_else_out,
            lists::owners_are_listed_by_class_oldest_first_from_a_cursor,
            lists::token_filters_and_cursors_hold_together,
            model::random_sequences_agree_with_a_plain_model,
            narrowing::restart_tells_tokens_as_they_are_now,
            narrowing::updated_token_is_told_and_all_but_its_label_raises_the_epoch,
            narrowing::widening_and_ended_tokens_are_refused,
            owners::any_text_can_be_looked_for,
            owners::email_subject_and_id_belong_to_one_owner,
            owners::every_field_of_an_owner_is_kept,
            owners::not_before_never_goes_back,
            owners::profile_ids_are_given_upwards_and_once,
            owners::suspension_keeps_its_first_evidence_until_resumed,
            owners::unknown_owner_cannot_be_updated,
            owners::update_that_changes_nothing_leaves_no_trace,
            publication::follower_hears_all_changes_in_the_order_of_commit,
            publication::follower_knows_of_a_change_before_its_caller,
            revocation::all_of_one_kind_are_revoked_in_one_write,
            revocation::concurrent_revocations_of_one_token_have_one_winner,
            revocation::epoch_counts_each_change_of_what_is_held_and_nothing_else,
            revocation::first_revocation_is_final_and_keeps_its_evidence,
            revocation::revocation_for_another_owner_is_answered_as_unknown,
            rotation::first_of_three_does_not_wait_for_a_second_that_is_never_used,
            rotation::first_use_ends_nothing_twice,
            rotation::first_use_starts_the_overlap_exactly_once,
            rotation::overlap_ends_in_time,
            rotation::rotation_asked_for_again_makes_nothing_more,
            rotation::scope_that_the_owner_has_lost_is_not_renewed,
            rotation::successor_has_what_the_old_one_had,
            rotation::successor_lives_as_long_as_asked_or_as_the_old_one_was_given,
            rotation::token_has_one_successor_in_force,
            rotation::token_that_is_not_in_force_is_not_rotated,
            rotation::token_that_rotates_itself_never_outlives_its_own_end,
            sets::bound_of_one_tenant_is_no_other_tenants,
            sets::bounds_are_told_again_after_a_restart,
            sets::every_token_before_the_write_is_dead_and_every_later_one_lives,
            sets::everything_leaves_operators_tokens_alone,
            sets::no_bound_lies_beyond_what_there_is,
            sets::set_is_taken_back_in_one_entry_whatever_its_size,
            sets::set_of_an_unknown_owner_is_not_taken_back,
            sets::strictest_level_wins_and_none_goes_back,
            tokens::every_field_of_a_token_is_kept,
            tokens::id_or_digest_is_never_used_twice,
            tokens::imported_token_keeps_its_time_of_issue_and_none_is_to_come,
            tokens::issue_asks_the_owner_as_it_is_now,
            tokens::owner_has_at_most_so_many_active_tokens,
            tokens::token_is_found_by_its_digest_in_every_state,
            uses::last_use_only_moves_forwards,
        }
    };
    (@each $backend:expr; $($area:ident::$claim:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                $crate::conformance::$area::$claim(&$backend).await;
            }
        )+
    };
}
