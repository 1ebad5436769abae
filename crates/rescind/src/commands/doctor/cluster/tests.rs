use super::nodes::{Watched, judge};
use super::paths;
use super::*;
use crate::cli::Format;
use crate::failure::Exit;
use crate::output::rendered;
use rescind_core::Digest;
use rescind_node::cluster::Unreached;
use rescind_store::{Contact, Member, Roll};
use std::slice::from_ref;
use std::time::Duration;

/// How it ends, and what is shown.
fn said(find: impl FnOnce(&mut Findings)) -> (Exit, String) {
    let mut findings = Findings::default();
    find(&mut findings);
    let answer = findings.into_answer();
    (answer.exit, rendered(&answer, Format::Table).unwrap())
}

#[test]
fn clock_of_the_database_is_compared_and_the_way_there_is_no_difference() {
    let at = |millis: i64| Timestamp::from_millis(1_774_267_200_000 + millis);
    for (before, theirs, after, exit, state) in [
        (0, 3, 10, Exit::Done, "ok"),
        (0, 20_000, 40_000, Exit::Done, "ok"),
        (0, -4_999, 10, Exit::Done, "ok"),
        (0, 5_010, 10, Exit::Done, "warning"),
        (0, -29_999, 10, Exit::Done, "warning"),
        (0, 30_010, 10, Exit::Refused, "wrong"),
        (0, -30_000, 10, Exit::Refused, "wrong"),
    ] {
        let (ended, text) = said(|findings| {
            findings.databases_clock(at(before), at(theirs), at(after));
        });
        assert_eq!(ended, exit, "{theirs}: {text}");
        assert!(text.contains(state), "{theirs}: {text}");
    }
}

#[test]
fn notification_that_does_not_come_is_a_warning_and_its_advice_is_given() {
    assert!(said(|findings| findings.notified(Some(2))).1.contains("ok"));
    let mut findings = Findings::default();
    findings.notified(None);
    let answer = findings.into_answer();
    assert_eq!(answer.exit, Exit::Done);
    assert!(answer.next.unwrap().contains("to the server itself"));
}

#[test]
fn schema_of_the_future_and_another_encoding_are_wrong_and_none_yet_is_not() {
    let durability = DurabilityReport {
        server_version: 150_004,
        fsync: true,
        full_page_writes: true,
        synchronous_commit: "on".into(),
        synchronous_standby_names: String::new(),
        standbys: 0,
        in_recovery: false,
    };
    let report = |encoding: &str, schema| ServerReport {
        durability: durability.clone(),
        encoding: encoding.into(),
        schema,
        schema_known: 3,
    };
    for (encoding, schema, exit, ours) in [
        ("UTF8", None, Exit::Done, false),
        ("UTF8", Some(2), Exit::Done, true),
        ("UTF8", Some(3), Exit::Done, true),
        ("UTF8", Some(4), Exit::Refused, false),
        ("SQL_ASCII", Some(3), Exit::Refused, false),
    ] {
        let mut read = None;
        let (ended, text) =
            said(|findings| read = Some(findings.schema(&report(encoding, schema))));
        assert_eq!((ended, read), (exit, Some(ours)), "{text}");
    }
}

fn member(node: &str, incarnation: u64, applied: u64, renewals: u64) -> Member {
    let (node, contact) = (node.into(), None);
    Member { node, incarnation, lease_ms: 15_000, applied, renewals, contact }
}

/// What is said of members that were seen twice.
fn seen(first: &[Member], last: &[Member]) -> String {
    let roll = |head, members: &[Member]| Roll { head, members: members.to_vec() };
    let took = Duration::from_millis(3_500);
    let watched = Watched { first: roll(9, first), last: roll(11, last), took };
    said(|findings| judge(&watched, Duration::from_secs(15), findings)).1
}

#[test]
fn nodes_that_renew_and_follow_are_well_however_many_there_are() {
    assert!(seen(&[], &[]).contains("none runs"));
    let first = [member("a", 1, 9, 5), member("b", 2, 8, 7)];
    let last = [member("a", 1, 11, 6), member("b", 2, 9, 8), member("c", 3, 11, 0)];
    let text = seen(&first, &last);
    assert!(text.contains("3 run, and renew") && text.contains("none is behind epoch 9"), "{text}");
    assert!(!text.contains("warning"), "{text}");
}

#[test]
fn silent_node_one_that_is_behind_twins_and_other_leases_are_named() {
    let (first, last) = (member("a", 1, 9, 5), member("b", 2, 8, 7));
    let text = seen(from_ref(&first), from_ref(&first));
    assert!(text.contains("a (0000000000000001) has not renewed its lease for 3.5 s"), "{text}");
    let text = seen(from_ref(&last), &[Member { renewals: 8, ..last.clone() }]);
    assert!(text.contains("b (0000000000000002) has applied epoch 8"), "{text}");
    let text = seen(&[], &[member("a", 1, 9, 5), member("a", 2, 9, 0)]);
    assert!(text.contains("a is there 2 times"), "{text}");
    let text = seen(&[], &[Member { lease_ms: 3_000, ..member("a", 1, 9, 5) }]);
    assert!(text.contains("leases of 3000 ms, and this configuration says 15000 ms"), "{text}");
}

#[test]
fn nodes_that_cannot_be_reached_or_listen_for_nobody_are_named() {
    let contact = Contact { address: "10.0.0.7:8083".into(), certificate: Digest::of(b"a") };
    let a = Member { contact: Some(contact.clone()), ..member("a", 1, 9, 5) };
    let b = Member { contact: Some(contact), ..member("b", 2, 9, 5) };
    let mute = member("mute", 3, 9, 5);
    let well = |member: &Member| (member.clone(), Ok(Duration::from_millis(3)));
    let said = |members: &[Member], paths| said(|found| paths::judge(members, &paths, found)).1;
    let none = said(from_ref(&mute), vec![]);
    assert!(none.contains("no node listens") && !none.contains("warning"), "{none}");
    let all = said(&[a.clone(), b.clone()], vec![well(&a), well(&b)]);
    assert!(all.contains("2 nodes were reached from here, within 3 ms"), "{all}");
    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let paths =
        vec![(a.clone(), Err(Unreached::Connect(refused))), (b.clone(), Err(Unreached::Stranger))];
    let text = said(&[a, b.clone()], paths);
    let where_and_why = "a (0000000000000001) at 10.0.0.7:8083: no connection can be made to it: \
                         connection refused";
    assert!(text.contains(where_and_why), "{text}");
    assert!(text.contains("b (0000000000000002) at") && text.contains("another cert"), "{text}");
    let text = said(&[b.clone(), mute], vec![well(&b)]);
    assert!(text.contains("mute (0000000000000003) listens for no other node"), "{text}");
}
