use super::*;
use crate::{client::Reply, output::render};
use doctor::Findings;
use rescind_core::Timestamp;

fn token() -> Value {
    json!({
        "id": "tok_1", "owner_id": "usr_1", "kind": "bearer", "label": null, "scopes": [],
        "issued_at": "2026-01-01T00:00:00.000Z", "expires_at": "2027-01-01T00:00:00.000Z",
        "state": "active", "revoked_at": null, "last_used_at": null,
    })
}

#[test]
fn a_new_secret_stands_alone_on_standard_output() {
    for name in ["token", "secret"] {
        let mut answer = token();
        add(&mut answer, name, Some("s3cret"));
        let answer = token::created(answer);
        assert_eq!(render(&answer, false), "s3cret");
        assert!(answer.notes.iter().any(|note| note.contains("not shown again")));
        assert!(!answer.notes.concat().contains("s3cret"));
        assert!(render(&answer, true).contains("s3cret"));
    }
}

#[test]
fn revoking_says_what_was_achieved() {
    let mut record = token();
    add(&mut record, "revoked_at", Some("2026-02-01T00:00:00.000Z"));
    let mut answer = json!({"already_revoked": false, "epoch": 17, "milliseconds": 4});
    add(&mut answer, "token", Some(record));
    let shown = |answer: &Value| render(&token::revoked(answer.clone()), false);
    assert_eq!(shown(&answer), "tok_1 is revoked, everywhere (epoch 17, 4 ms)");
    add(&mut answer, "already_revoked", Some(true));
    assert_eq!(shown(&answer), "tok_1 was already revoked, at 2026-02-01T00:00:00.000Z");
}

#[test]
fn only_a_clear_yes_is_exit_code_zero() {
    let verdict = |answer: Value| verify::verdict(answer).map(|shown| shown.exit);
    assert_eq!(verdict(json!({"valid": true, "token_id": "tok_1"})), Ok(Exit::Done));
    assert_eq!(verdict(json!({"valid": false, "reason": "revoked"})), Ok(Exit::Refused));
    for unclear in [json!({}), json!({"valid": "true"}), json!([true]), json!(null)] {
        assert_eq!(verdict(unclear.clone()).unwrap_err().exit, Exit::Unreachable, "{unclear}");
    }
}

#[test]
fn an_empty_list_and_a_cut_one_say_so() {
    let list = |items: Vec<Value>, next: Option<&str>| List { items, next: next.map(Into::into) };
    let answer = table_of(list(vec![], None), &["ID"], &["id"]);
    assert_eq!(answer.notes, ["none"]);
    assert_eq!(render(&answer, true), r#"{"items":[],"next":null}"#);
    let answer = table_of(list(vec![token()], Some("tok_1")), &["ID"], &["id"]);
    assert_eq!(answer.notes, ["these are the first 1; there are more"]);
}

#[test]
fn the_doctor_compares_clocks() {
    // Sun, 06 Nov 1994 08:49:37 GMT.
    let theirs = 784_111_777_000;
    let seen = |ours: i64, date: Option<&str>| {
        let mut findings = Findings::default();
        let reply = Reply { body: json!({}), date: date.map(Into::into) };
        findings.clock(&reply, Timestamp::from_millis(ours));
        let answer = findings.into_answer();
        (answer.exit, render(&answer, false))
    };
    let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
    for (offset, exit, state) in [
        (0, Exit::Done, "ok"),
        (4_999, Exit::Done, "ok"),
        (-5_000, Exit::Done, "warning"),
        (29_999, Exit::Done, "warning"),
        (30_000, Exit::Refused, "wrong"),
        (-86_400_000, Exit::Refused, "wrong"),
    ] {
        let (ended, text) = seen(theirs + offset, date);
        assert_eq!(ended, exit, "{offset}: {text}");
        assert!(text.contains(state), "{offset}: {text}");
    }
    for none in [None, Some("yesterday")] {
        let (ended, text) = seen(theirs, none);
        assert!(ended == Exit::Done && text.contains("warning"), "{text}");
    }
}

#[test]
fn the_doctor_misses_sealing_keys() {
    let exit = |status: Value| {
        let mut findings = Findings::default();
        findings.status(&status);
        findings.into_answer().exit
    };
    assert_eq!(exit(json!({"sealed": false})), Exit::Done);
    assert_eq!(exit(json!({"sealed": true})), Exit::Refused);
    assert_eq!(exit(json!({})), Exit::Refused);
}
