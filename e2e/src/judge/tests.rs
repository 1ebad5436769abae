use super::{Op::*, Operation, Outcome::*, Violation, judge};

/// `(node, op, invoke, return, outcome)` of one token.
type Row = (u32, super::Op, u64, u64, super::Outcome);

fn history(rows: &[Row]) -> Vec<Operation> {
    let operation = |&(node, op, invoke_ns, return_ns, outcome): &Row| Operation {
        client: 0,
        node,
        op,
        token: "t".into(),
        invoke_ns,
        return_ns,
        outcome,
    };
    rows.iter().map(operation).collect()
}

fn violations(rows: &[Row]) -> Vec<Violation> {
    judge(&history(rows), 0).violations
}

const MADE: Row = (0, Create, 1, 2, Accepted);

#[track_caller]
fn caught(violation: fn(String) -> Violation, rows: &[Row]) {
    let found = violations(rows);
    assert!(found.contains(&violation("t".into())), "{found:?}");
}

#[track_caller]
fn passes(rows: &[Row]) {
    assert_eq!(violations(rows), []);
}

#[test]
fn accepting_after_an_answered_revocation_is_caught() {
    caught(
        Violation::LateAccept,
        &[MADE, (0, Revoke, 3, 5, Accepted), (0, Verify, 6, 7, Accepted)],
    );
}

#[test]
fn accepting_late_on_another_node_is_caught() {
    caught(
        Violation::LateAccept,
        &[MADE, (0, Revoke, 3, 5, Accepted), (1, Verify, 6, 7, Accepted)],
    );
}

#[test]
fn accepting_late_once_among_refusals_is_caught() {
    let rows = [
        MADE,
        (0, Revoke, 3, 5, Accepted),
        (0, Verify, 6, 7, Refused),
        (0, Verify, 8, 9, Accepted),
        (0, Verify, 10, 11, Refused),
    ];
    caught(Violation::LateAccept, &rows);
    caught(Violation::Resurrected, &rows);
}

/// The history need not be in the order of time.
#[test]
fn accepting_late_is_caught_in_an_unsorted_history() {
    caught(
        Violation::LateAccept,
        &[(0, Verify, 6, 7, Accepted), (0, Revoke, 3, 5, Accepted), MADE],
    );
}

#[test]
fn coming_back_after_an_unanswered_revocation_is_caught() {
    let rows =
        [MADE, (0, Revoke, 3, 4, Unknown), (0, Verify, 5, 6, Refused), (0, Verify, 7, 8, Accepted)];
    caught(Violation::Resurrected, &rows);
}

#[test]
fn coming_back_after_a_refused_revocation_is_caught() {
    let rows =
        [MADE, (0, Revoke, 3, 4, Unknown), (0, Revoke, 5, 6, Refused), (0, Verify, 7, 8, Accepted)];
    caught(Violation::Resurrected, &rows);
}

#[test]
fn refusing_a_token_that_nobody_revoked_is_caught() {
    let rows = [
        MADE,
        (0, Verify, 3, 4, Accepted),
        (0, Verify, 5, 6, Refused),
        (1, Verify, 7, 8, Accepted),
    ];
    caught(Violation::FalseRefusal, &rows);
}

#[test]
fn refusing_before_the_revocation_was_asked_for_is_caught() {
    let rows =
        [MADE, (0, Verify, 3, 4, Refused), (0, Revoke, 5, 6, Accepted), (0, Verify, 7, 8, Refused)];
    caught(Violation::LostCreation, &rows);
}

#[test]
fn a_revocation_that_nobody_asked_for_is_caught() {
    caught(Violation::Unasked, &[MADE, (0, Verify, 3, 4, Accepted), (0, Verify, 5, 6, Refused)]);
}

#[test]
fn refusing_the_first_revocation_of_a_live_token_is_caught() {
    let rows = [MADE, (0, Verify, 3, 4, Accepted), (0, Revoke, 5, 6, Refused)];
    caught(Violation::Unasked, &rows);
}

#[test]
fn a_creation_that_never_works_is_caught() {
    caught(
        Violation::LostCreation,
        &[MADE, (0, Verify, 3, 4, Refused), (0, Verify, 5, 6, Refused)],
    );
}

/// Otherwise a server that loses tokens could hide it behind errors.
#[test]
fn a_creation_that_nobody_could_look_at_is_caught() {
    caught(Violation::Unwitnessed, &[MADE, (0, Verify, 3, 4, Unknown)]);
}

#[test]
fn a_creation_last_looked_at_before_the_sweep_is_caught() {
    let verdict = judge(&history(&[MADE, (0, Verify, 3, 4, Accepted)]), 5);
    assert_eq!(verdict.violations, [Violation::Unwitnessed("t".into())]);
}

#[test]
fn accepting_a_token_that_was_never_created_is_caught() {
    caught(Violation::Forged, &[(0, Verify, 3, 4, Accepted)]);
    caught(Violation::Forged, &[(0, Verify, 1, 2, Accepted), (0, Create, 3, 4, Accepted)]);
}

#[test]
fn answering_two_revocations_with_success_is_caught() {
    let rows = [
        MADE,
        (0, Revoke, 3, 6, Accepted),
        (0, Revoke, 4, 5, Accepted),
        (0, Verify, 7, 8, Refused),
    ];
    caught(Violation::RevokedTwice, &rows);
}

#[test]
fn a_history_that_runs_backwards_is_caught() {
    caught(Violation::Malformed, &[(0, Create, 2, 1, Accepted), (0, Verify, 3, 4, Accepted)]);
}

#[test]
fn a_whole_life_passes() {
    passes(&[
        MADE,
        (0, Verify, 3, 4, Accepted),
        (0, Revoke, 5, 6, Accepted),
        (0, Verify, 7, 8, Refused),
        (0, Revoke, 9, 10, Refused),
    ]);
}

/// A verification that began before the answer may have been decided before the revocation.
#[test]
fn accepting_while_the_revocation_runs_passes() {
    passes(&[
        MADE,
        (0, Revoke, 3, 9, Accepted),
        (0, Verify, 8, 12, Accepted),
        (0, Verify, 4, 5, Accepted),
        (0, Verify, 9, 11, Accepted),
    ]);
}

#[test]
fn refusing_while_the_revocation_runs_passes() {
    passes(&[
        MADE,
        (0, Verify, 3, 6, Refused),
        (0, Revoke, 4, 9, Accepted),
        (0, Verify, 5, 7, Refused),
    ]);
}

/// Before the answer, one node may know what another does not know yet.
#[test]
fn nodes_that_differ_before_the_answer_pass() {
    passes(&[
        MADE,
        (0, Revoke, 3, 9, Accepted),
        (0, Verify, 4, 5, Refused),
        (1, Verify, 6, 7, Accepted),
    ]);
}

/// The kill came between the commit and the answer, or before the commit.
#[test]
fn an_unanswered_revocation_may_have_happened_or_not() {
    let unanswered = (0, Revoke, 3, 4, Unknown);
    passes(&[MADE, unanswered, (0, Verify, 5, 6, Refused), (0, Verify, 7, 8, Refused)]);
    passes(&[MADE, unanswered, (0, Verify, 5, 6, Accepted), (0, Verify, 7, 8, Accepted)]);
    passes(&[MADE, unanswered, (0, Verify, 5, 6, Accepted), (0, Revoke, 7, 8, Accepted)]);
    passes(&[MADE, unanswered, (0, Revoke, 5, 6, Refused), (0, Verify, 7, 8, Refused)]);
}

/// Of two revocations at once, one is answered with success and the other refused.
#[test]
fn concurrent_revocations_pass() {
    passes(&[
        MADE,
        (0, Revoke, 3, 9, Accepted),
        (0, Revoke, 4, 8, Refused),
        (0, Verify, 10, 11, Refused),
    ]);
}

#[test]
fn outages_accuse_nobody() {
    passes(&[
        MADE,
        (0, Verify, 3, 4, Unknown),
        (0, Verify, 5, 6, Accepted),
        (0, Verify, 7, 8, Unknown),
        (0, Revoke, 9, 10, Unknown),
    ]);
}

#[test]
fn refusing_an_invented_token_passes() {
    passes(&[(0, Verify, 1, 2, Refused)]);
}

#[test]
fn tokens_are_judged_apart() {
    let mut both = history(&[MADE, (0, Revoke, 3, 4, Accepted), (0, Verify, 5, 6, Refused)]);
    let mut other = history(&[MADE, (0, Verify, 5, 6, Accepted)]);
    other.iter_mut().for_each(|op| op.token = "u".into());
    both.append(&mut other);
    let verdict = judge(&both, 0);
    assert_eq!(verdict.violations, []);
    assert_eq!((verdict.created, verdict.revoked, verdict.refused), (2, 1, 1));
}

#[test]
fn accepting_after_an_answer_that_it_was_revoked_before_is_caught() {
    // The first revoker died before it answered.
    let rows = [
        MADE,
        (0, Settle, 3, 4, Unknown),
        (1, Settle, 5, 6, Accepted),
        (2, Verify, 7, 8, Accepted),
    ];
    caught(Violation::LateAccept, &rows);
}

#[test]
fn being_told_twice_that_it_is_revoked_is_no_fault() {
    passes(&[
        MADE,
        (0, Verify, 3, 4, Accepted),
        (0, Settle, 5, 6, Accepted),
        (1, Settle, 7, 8, Accepted),
    ]);
}
