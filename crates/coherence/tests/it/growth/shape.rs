//! A small version of `just growth`, so that what docs/growth.md claims stays true.

use super::figures::{Fault, Figures};
use super::{Delays, Setup};

/// Revocations in each run.
const SOME: u64 = 20;

fn healthy(tiers: &[usize]) -> Figures {
    Figures::of(&Setup::of(tiers), Fault::None, SOME)
}

/// Within a tenth.
fn about(found: f64, claimed: usize) {
    let claimed = claimed as f64;
    assert!((found - claimed).abs() <= claimed / 10.0, "{found} is not about {claimed}");
}

/// Two round trips of the commit, a push and an acknowledgement, each at its slowest; or a node is in
/// the middle of reading the log.
#[test]
fn time_of_a_revocation_does_not_grow_with_the_nodes() {
    let [few, more, many] = [3, 10, 30].map(|nodes| healthy(&[nodes]));
    assert!(many.longest() < 9.0, "{many:?}");
    assert!(more.at_most(50) < few.at_most(50) + 1.0, "{few:?} {more:?}");
    assert!(many.at_most(50) < few.at_most(50) + 1.0, "{few:?} {many:?}");
}

#[test]
fn messages_grow_with_the_square_of_the_nodes_and_rows_with_the_nodes() {
    for nodes in [3, 10, 30] {
        let it = healthy(&[nodes]);
        about(it.direct, nodes * (nodes - 1));
        about(it.notified, nodes * (nodes - 1));
        about(it.rows_written, nodes - 1);
        assert!(it.rung_log_reads < 0.1 * nodes as f64, "what is pushed is not read: {it:?}");
        about(it.rows_read, nodes);
        about(it.rows_watched * 3.0, nodes * nodes);
        about(it.renewals * 3.0, nodes);
        about(it.log_reads * 3.0, nodes);
    }
}

#[test]
fn time_of_a_revocation_in_a_tree_grows_with_its_depth_and_not_with_its_width() {
    let [one, narrow, wide, deep] = [&[3][..], &[3, 2], &[3, 10], &[3, 3, 3]].map(healthy);
    let tier = narrow.at_most(50) - one.at_most(50);
    assert!((1.5..3.5).contains(&tier), "{one:?} {narrow:?}");
    assert!(wide.at_most(50) < narrow.at_most(50) + 1.0, "{narrow:?} {wide:?}");
    let tiers = deep.at_most(50) - one.at_most(50);
    assert!((3.0..7.0).contains(&tiers), "{one:?} {deep:?}");
}

#[test]
fn database_knows_nothing_of_the_edges() {
    let (alone, tree) = (healthy(&[3]), healthy(&[3, 10]));
    about(tree.renewals * 3.0, 3);
    about(tree.rows_watched, alone.rows_watched as usize);
    about(tree.rows_read, 3);
    // To each a ring, and back what it has applied.
    about(tree.edge, 2 * 30);
}

#[test]
fn one_that_stands_still_is_waited_for_once_whatever_is_above_it() {
    for tiers in [&[3][..], &[10], &[3, 3], &[2, 2, 2]] {
        let it = Figures::of(&Setup::of(tiers), Fault::OneStopped, SOME);
        let seconds = it.longest() / 1_000.0;
        assert!((14.0..15.5).contains(&seconds), "{tiers:?}: {seconds} s");
    }
}

/// The slowest of many is slow more often: no number of nodes is free of that.
#[test]
fn late_messages_are_met_more_often_by_more_nodes() {
    let late = |nodes| {
        let delays = Delays { late_per_mille: 10, ..Delays::EVEN };
        Figures::of(&Setup { delays, ..Setup::of(&[nodes]) }, Fault::None, SOME).at_most(50)
    };
    let (few, many) = (late(3), late(100));
    assert!(few < 10.0 && many > 20.0, "{few} {many}");
}
