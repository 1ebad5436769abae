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

pub mod audit;
pub mod lists;
pub mod model;
pub mod owners;
pub mod publication;
pub mod revocation;
mod scene;
pub mod tokens;
pub mod uses;

use crate::{Follower, Store};
use async_trait::async_trait;
use std::sync::Arc;

/// Opens stores to be tested.
#[async_trait]
pub trait Backend: Send + Sync {
    /// A new and empty store with this follower. Called once or more by each claim.
    async fn open(&self, follower: Arc<dyn Follower>) -> Arc<dyn Store>;
}

/// One test of each claim, for the backend that the expression makes.
#[macro_export]
macro_rules! conformance_tests {
    ($backend:expr) => {
        $crate::conformance_tests! { @each $backend;
            audit::chain_holds_and_each_mutation_has_exactly_one_entry,
            audit::entries_say_who_did_what_and_never_a_secret,
            audit::refused_mutations_leave_no_trace,
            lists::audit_entries_are_listed_in_order_from_a_cursor,
            lists::owners_are_listed_by_class_oldest_first_from_a_cursor,
            lists::token_filters_and_cursors_hold_together,
            model::random_sequences_agree_with_a_plain_model,
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
            revocation::epoch_counts_what_takes_power_away_and_nothing_else,
            revocation::first_revocation_is_final_and_keeps_its_evidence,
            revocation::revocation_for_another_owner_is_answered_as_unknown,
            revocation::revoked_or_suspended_actor_changes_nothing,
            tokens::every_field_of_a_token_is_kept,
            tokens::id_or_digest_is_never_used_twice,
            tokens::issue_asks_the_owner_as_it_is_now,
            tokens::owner_has_at_most_so_many_active_tokens,
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
