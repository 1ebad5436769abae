//! With all rules, the promise holds over the whole space.
//!
//! One test for each group of faults, because all of them at once are too many states to be tried
//! in a minute; the ignored ones take more together. `--no-capture` shows how many there are.

use super::check::holds;
use super::{Bounds, LEAST};

macro_rules! whole_spaces {
    ($($(#[$attribute:meta])* $name:ident: $bounds:expr;)*) => { $(
        #[test]
        $(#[$attribute])*
        fn $name() {
            println!("{} states", holds($bounds));
        }
    )* };
}

whole_spaces! {
    crash_of_the_node_and_of_the_revoker:
        Bounds { drift: true, crashes: 1, attempts: 2, ..LEAST };
    failover_and_a_connection_to_the_old_primary:
        Bounds { failovers: 1, crashes: 1, timeouts: 1, ..LEAST };
    failover_and_drift: Bounds { failovers: 1, drift: true, ..LEAST };
    node_that_stops_and_direct_acknowledgements:
        Bounds { drift: true, stops: 1, direct: true, ..LEAST };
    changes_in_between_and_in_one_batch:
        Bounds { drift: true, others: 1, batches: true, ..Bounds::least(3) };
    record_fetched_from_any_server: Bounds { fetches: 2, failovers: 1, ..Bounds::least(3) };
    reaping_of_silent_nodes: Bounds { reaper: true, timeouts: 1, ..LEAST };
    two_processes_of_one_name: Bounds { holders: 2, same_name: true, ..Bounds::least(2) };
    database_restored_from_a_backup:
        Bounds { restores: 1, others: 1, attempts: 2, ..LEAST };

    rows_read_behind_the_commit:
        Bounds { behind: true, crashes: 1, timeouts: 1, ..LEAST };
    changes_pushed_by_whoever_commits:
        Bounds { pushes: true, behind: true, direct: true, others: 1, batches: true, ..Bounds::least(3) };
    database_restored_and_written_on_before_anyone_has_noticed:
        Bounds { restores: 1, overtaken: true, direct: true, others: 1, ..LEAST };
    changes_pushed_before_and_after_a_restore:
        Bounds { restores: 1, overtaken: true, pushes: true, others: 2, ..Bounds::least(3) };
    changes_pushed_before_a_restore:
        Bounds { pushes: true, restores: 1, others: 1, attempts: 2, ..Bounds::least(3) };

    #[ignore = "minutes: just model"]
    database_restored_and_written_on_for_longer:
        Bounds { restores: 1, overtaken: true, direct: true, others: 1, attempts: 2, ..LEAST };
    #[ignore = "minutes: just model"]
    most_faults_at_once:
        Bounds { drift: true, failovers: 1, crashes: 1, timeouts: 1, attempts: 2, ..LEAST };
    #[ignore = "minutes: just model"]
    longer_horizon: Bounds { drift: true, timeouts: 1, others: 1, ..Bounds::least(5) };
    #[ignore = "minutes: just model"]
    reaping_under_drift: Bounds { reaper: true, drift: true, ..Bounds::least(5) };
    #[ignore = "minutes: just model"]
    reaping_and_registering_again: Bounds { reaper: true, timeouts: 1, ..Bounds::least(5) };
    #[ignore = "minutes: just model"]
    two_processes_of_one_name_for_longer:
        Bounds { holders: 2, same_name: true, crashes: 1, ..Bounds::least(3) };
    #[ignore = "minutes: just model"]
    two_nodes_and_a_failover: Bounds { holders: 2, failovers: 1, ..Bounds::least(2) };
}
