//! `rescind audit verify --file`: each way in which a trail can be tampered with has its name.

use crate::process::{Home, Ran};
use rescind_core::audit::{Entry, GENESIS, link};
use rescind_core::{Actor, Digest, Timestamp};
use serde_json::{Value, json};
use std::fs;

/// A trail of five entries, as an export has it.
fn trail() -> Vec<Value> {
    let mut head = GENESIS;
    (1..=5).map(|seq| written(&entry(seq), &mut head)).collect()
}

fn entry(seq: u64) -> Entry {
    Entry {
        seq,
        at: Timestamp::from_millis(1_774_269_296_789),
        actor: Actor::system("test"),
        action: "token.issued".into(),
        subject: format!("token_{seq}"),
        detail: r#"{"kind":"bearer"}"#.into(),
    }
}

fn written(entry: &Entry, head: &mut Digest) -> Value {
    *head = link(head, entry);
    let hash: String = head.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "seq": entry.seq, "at": entry.at.to_rfc3339_millis(), "actor": entry.actor.as_str(),
        "action": entry.action, "subject": entry.subject, "detail": entry.detail, "hash": hash,
    })
}

fn text(trail: &[Value]) -> String {
    trail.iter().map(|entry| format!("{entry}\n")).collect()
}

async fn verify(home: &Home, trail: &str, more: &str) -> Ran {
    fs::write(home.path("trail.jsonl"), trail).unwrap();
    home.run(&format!("audit verify --file trail.jsonl {more} -o json"), "").await
}

fn anchor(trail: &[Value], seq: usize) -> String {
    format!("--anchor {seq}:{}", trail[seq - 1]["hash"].as_str().unwrap())
}

#[tokio::test]
async fn a_whole_trail_holds_and_gives_the_next_anchor() {
    let (home, trail) = (Home::new(), trail());
    let whole = verify(&home, &text(&trail), "").await.well();
    let last = anchor(&trail, 5);
    let head = last.strip_prefix("--anchor ").unwrap();
    assert_eq!(
        whole.json(),
        json!({
            "valid": true, "entries": 5, "head": head, "anchors": 0,
            "last_at": "2026-03-23T12:34:56.789Z",
        })
    );
    assert!(whole.talk.contains("without --anchor nobody can tell"), "{whole:?}");
    let anchored = format!("{last} {}", anchor(&trail, 2));
    let whole = verify(&home, &text(&trail), &anchored).await.well();
    assert!(!whole.talk.contains("without --anchor"), "{whole:?}");
    let ids = home.run("audit verify --file trail.jsonl -o id", "").await.well();
    assert_eq!(ids.out, format!("{head}\n"));
    let piped = home.run("audit verify --file -", &text(&trail)).await.well();
    assert_eq!(piped.out, "5 entries hold, the last of 2026-03-23T12:34:56.789Z\n");
    assert_eq!(verify(&home, "", "").await.well().json()["entries"], 0);
}

#[tokio::test]
async fn each_fault_has_its_name() {
    let home = Home::new();
    let renumbered = |mut trail: Vec<Value>| {
        (1..).zip(&mut trail).for_each(|(seq, entry)| entry["seq"] = json!(seq));
        trail
    };
    let without = |at: usize| {
        let mut trail = trail();
        trail.remove(at);
        trail
    };
    let changed = |name: &str, value: &str| {
        let mut trail = trail();
        trail[2][name] = json!(value);
        trail
    };
    let mut swapped = trail();
    swapped.swap(1, 3);
    let mut repeated = trail();
    repeated.insert(3, repeated[1].clone());
    for (tampered, fault, seq) in [
        (changed("subject", "token_9"), "changed", 3),
        (changed("actor", "system:other"), "changed", 3),
        (changed("detail", r#"{"kind": "bearer"}"#), "changed", 3),
        (changed("at", "2026-03-23T12:34:56.790Z"), "changed", 3),
        // Another way to write the same moment.
        (changed("at", "2026-03-23T13:34:56.789+01:00"), "unreadable", 3),
        (changed("hash", &"0".repeat(64)), "changed", 3),
        (changed("hash", "0"), "unreadable", 3),
        (without(0), "missing", 1),
        (without(2), "missing", 3),
        (renumbered(without(2)), "changed", 3),
        (swapped, "reordered", 2),
        (repeated, "repeated", 2),
    ] {
        let ran = verify(&home, &text(&tampered), "").await;
        let found = ran.json();
        assert_eq!((ran.exit, &found["valid"]), (1, &json!(false)), "{ran:?}");
        assert_eq!((&found["fault"], &found["seq"]), (&json!(fault), &json!(seq)), "{ran:?}");
    }
}

#[tokio::test]
async fn only_an_anchor_shows_a_cut_or_rewritten_trail() {
    let (home, whole) = (Home::new(), trail());
    let cut = text(&whole[..3]);
    verify(&home, &cut, "").await.well();
    verify(&home, &cut, &anchor(&whole, 3)).await.well();
    let ran = verify(&home, &cut, &anchor(&whole, 5)).await;
    assert_eq!((ran.exit, &ran.json()["fault"]), (1, &json!("truncated")), "{ran:?}");
    assert_eq!(verify(&home, "", &anchor(&whole, 5)).await.json()["fault"], json!("truncated"));

    let mut head = GENESIS;
    let forged: Vec<_> = (1..=5)
        .map(|seq| {
            let action = if seq < 3 { "token.issued" } else { "token.revoked" };
            written(&Entry { action: action.into(), ..entry(seq) }, &mut head)
        })
        .collect();
    verify(&home, &text(&forged), &anchor(&whole, 2)).await.well();
    let ran = verify(&home, &text(&forged), &anchor(&whole, 4)).await;
    assert_eq!((ran.exit, &ran.json()["fault"]), (1, &json!("rewritten")), "{ran:?}");
    // The anchor of an empty trail is where every trail begins.
    let nothing = format!("--anchor 0:{}", "0".repeat(64));
    verify(&home, &cut, &nothing).await.well();
    let other = format!("--anchor 0:{}", "1".repeat(64));
    assert_eq!(verify(&home, &cut, &other).await.json()["fault"], json!("rewritten"));
}

#[tokio::test]
async fn a_line_that_is_cut_off_is_told() {
    let (home, whole) = (Home::new(), text(&trail()));
    for bytes in [whole.len() - 2, whole.len() - 20] {
        let ran = verify(&home, &whole[..bytes], "").await;
        let found = ran.json();
        assert_eq!((ran.exit, &found["fault"]), (1, &json!("unreadable")), "{ran:?}");
        assert_eq!(found["seq"], json!(5), "{ran:?}");
    }
    // Only the line feed is missing: nothing is lost.
    verify(&home, &whole[..whole.len() - 1], "").await.well();
}
