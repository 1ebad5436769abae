use super::*;
use crate::cli::Format;
use crate::client::{Created, List, Reply};
use crate::output::{Answer, Column, rendered};
use doctor::Findings;
use rescind_core::Timestamp;
use serde_json::{Value, json};
use shown::{add, list_of};

const COLUMNS: [Column; 1] = [Column::new("id", "id")];

/// As a pipe gets it.
fn shown(answer: &Answer) -> String {
    rendered(answer, Format::Table).unwrap()
}

fn token() -> Value {
    json!({
        "id": "tok_1", "owner_id": "usr_1", "kind": "bearer", "label": null, "scopes": [],
        "issued_at": "2026-01-01T00:00:00.000Z", "expires_at": "2027-01-01T00:00:00.000Z",
        "state": "active", "revoked_at": null, "last_used_at": null,
    })
}

fn made(body: Value) -> Created {
    Created { body, replayed: false, retried: false }
}

#[test]
fn a_new_secret_stands_alone_on_standard_output() {
    for name in ["token", "secret"] {
        let mut answer = token();
        add(&mut answer, name, Some("s3cret"));
        let answer = token::created(made(answer));
        assert_eq!((shown(&answer), answer.exit), ("s3cret".into(), Exit::Done));
        assert!(answer.notes.iter().any(|note| note.contains("not shown again")));
        assert!(!answer.notes.concat().contains("s3cret"));
        assert!(answer.json.to_string().contains("s3cret"));
    }
}

#[test]
fn a_secret_that_cannot_be_shown_is_no_success() {
    for retried in [false, true] {
        let answer = token::created(Created { body: token(), replayed: true, retried });
        assert_eq!((shown(&answer), answer.exit), (String::new(), Exit::Refused));
        assert!(answer.notes.concat().contains("cannot be shown again"), "{answer:?}");
        assert!(answer.next.unwrap().contains("rescind token rotate tok_1"));
    }
}

#[test]
fn rotating_says_what_becomes_of_the_old_token() {
    let rotated = |previous: Value| {
        let mut body = token();
        add(&mut body, "token", Some("s3cret"));
        add(&mut body, "previous", Some(previous));
        token::rotated(made(body))
    };
    let answer = rotated(json!({"id": "old", "state": "revoked", "expires_at": null}));
    assert!(answer.notes.contains(&"the old one, old, is revoked".to_owned()), "{answer:?}");
    let answer = rotated(json!({"id": "old", "state": "active", "expires_at": "2026-01-02"}));
    assert!(answer.notes.concat().contains("stays valid until 2026-01-02 at the latest"));
    assert!(answer.next.unwrap().contains("rescind token revoke old"));
    let answer = rotated(json!({"id": "old", "state": "active", "expires_at": null}));
    assert!(answer.notes.concat().contains("until the overlap is over"), "{answer:?}");
    assert_eq!(shown(&answer), "s3cret");
}

#[test]
fn revoking_says_what_was_achieved() {
    let mut record = token();
    add(&mut record, "revoked_at", Some("2026-02-01T00:00:00.000Z"));
    let mut answer = json!({"already_revoked": false, "epoch": 17, "took_ms": 4});
    add(&mut answer, "token", Some(record));
    let line = |answer: &Value| shown(&token::revoked(answer.clone()));
    assert_eq!(line(&answer), "tok_1 is revoked, everywhere (epoch 17, 4 ms)");
    add(&mut answer, "already_revoked", Some(true));
    assert_eq!(line(&answer), "tok_1 was already revoked, at 2026-02-01T00:00:00.000Z");
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
fn many_are_valid_only_if_all_are() {
    let (yes, no) = (json!({"valid": true, "token_id": "a"}), json!({"valid": false}));
    let exit = |results: &[&Value]| {
        let results = (1..).zip(results.iter().copied().cloned()).collect();
        verify::verdicts(results).map(|answer| (answer.exit, answer.ids.unwrap().len()))
    };
    assert_eq!(exit(&[&yes, &yes]), Ok((Exit::Done, 2)));
    assert_eq!(exit(&[&yes, &no]), Ok((Exit::Refused, 1)));
    assert_eq!(exit(&[&yes, &json!({})]).unwrap_err().exit, Exit::Unreachable);
}

#[test]
fn an_empty_list_and_a_cut_one_say_so() {
    let list = |items: Vec<Value>, next: Option<&str>| List { items, next: next.map(Into::into) };
    let answer = list_of(list(vec![], None), &COLUMNS);
    assert_eq!((&answer.notes[..], shown(&answer)), (&["none".to_owned()][..], String::new()));
    assert_eq!(answer.json, json!({"items": [], "next": null}));
    let answer = list_of(list(vec![token()], Some("tok_1")), &COLUMNS);
    assert_eq!(answer.notes, ["these are the first 1; there are more"]);
    assert_eq!(answer.next.as_deref(), Some("go on with `--after tok_1`"));
    assert_eq!(answer.ids, Some(vec!["tok_1".to_owned()]));
}

#[test]
fn the_doctor_compares_clocks() {
    // Sun, 06 Nov 1994 08:49:37 GMT.
    let theirs = 784_111_777_000;
    let seen = |ours: i64, date: Option<&str>| {
        let mut findings = Findings::default();
        let date = date.map(Into::into);
        let reply = Reply { body: json!({}), date, replayed: false };
        findings.clock(&reply, Timestamp::from_millis(ours));
        let answer = findings.into_answer();
        (answer.exit, shown(&answer))
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
