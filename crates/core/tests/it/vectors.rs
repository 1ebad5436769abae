//! The code against `vectors/`: values that were computed elsewhere.

use base64::{Engine, engine::general_purpose::STANDARD};
use rescind_core::signature::{BodyProof, Content, Secret, SignedRequest};
use rescind_core::target::{TargetFault, unambiguous_path};
use rescind_core::{
    Actor, Authentic, Bounds, Demand, Denial, Digest, Fingerprint, NetworkSet, NotBefore,
    Recognised, ScopeSet, SignedHeaders, Timestamp, TokenKind, TokenPrefix, audit, decide,
    recognise,
};
use serde_json::Value;

macro_rules! vectors {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../../vectors/", $name))).unwrap()
    };
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_else(|| panic!("no text {field} in {row}"))
}

fn flag(row: &Value, field: &str) -> bool {
    row[field].as_bool().unwrap_or_else(|| panic!("no flag {field} in {row}"))
}

fn number(row: &Value, field: &str) -> i64 {
    row[field].as_i64().unwrap_or_else(|| panic!("no number {field} in {row}"))
}

/// The rows of a list, which a test would pass without if it were empty.
fn rows<'a>(file: &'a Value, list: &str) -> &'a [Value] {
    let rows = file[list].as_array().unwrap_or_else(|| panic!("no list {list}"));
    assert!(!rows.is_empty(), "{list} is empty");
    rows
}

fn moment(row: &Value, field: &str) -> Option<Timestamp> {
    match &row[field] {
        Value::Null => None,
        _ => Some(Timestamp::parse(text(row, field)).unwrap()),
    }
}

fn scopes(row: &Value, field: &str) -> Option<ScopeSet> {
    let names = row[field].as_array()?.iter().map(|name| name.as_str().unwrap());
    Some(ScopeSet::parse(names).unwrap())
}

fn networks(row: &Value) -> Option<NetworkSet> {
    let blocks = row["allowed_networks"].as_array()?.iter().map(|block| block.as_str().unwrap());
    Some(NetworkSet::parse(blocks).unwrap())
}

fn hex(digest: &Digest) -> String {
    digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn token_texts_are_recognised_and_digested() {
    let file = vectors!("token_text.json");
    let prefixes: Vec<_> = rows(&file, "prefixes")
        .iter()
        .map(|prefix| TokenPrefix::parse(prefix.as_str().unwrap()).unwrap())
        .collect();
    for row in rows(&file, "checks") {
        let whole = format!("lmts_{}{}", text(row, "body"), text(row, "check"));
        assert_eq!(recognise(&whole, &prefixes), Recognised::Whole, "{row}");
    }
    for row in rows(&file, "texts") {
        let found = match recognise(text(row, "text"), &prefixes) {
            Recognised::Whole => "whole",
            Recognised::Damaged => "damaged",
            Recognised::Foreign => "foreign",
        };
        assert_eq!(found, text(row, "recognised"), "{row}");
        assert_eq!(hex(&Digest::of(text(row, "text").as_bytes())), text(row, "digest"), "{row}");
    }
}

fn free_bounds(scopes: &ScopeSet) -> Bounds<'_> {
    Bounds {
        kind: TokenKind::Signing,
        issued_at: Timestamp::from_millis(0),
        expires_at: None,
        revoked: false,
        scopes,
        networks: None,
        not_before: NotBefore::default(),
        owner_suspended: false,
        owner_scopes: None,
        owner_networks: None,
    }
}

#[test]
fn signed_requests_are_authentic_or_refused() {
    for row in rows(&vectors!("signatures.json"), "cases") {
        let key = Secret::from_bytes(STANDARD.decode(text(row, "secret")).unwrap()).key();
        let body = text(row, "body").as_bytes();
        let request = SignedRequest::with_body(text(row, "method"), text(row, "target"), body);
        let (timestamp, signature) = (text(row, "timestamp"), text(row, "signature"));
        let now = moment(row, "now").unwrap();
        let none = ScopeSet::default();
        let verdict = match SignedHeaders::parse("key", timestamp, signature) {
            Err(_) => "malformed",
            Ok(signed) => {
                let bounds = free_bounds(&none);
                Authentic::by_signature(&key, &signed, &request, now, &bounds)
                    .map_or_else(Denial::as_str, |_| "authentic")
            }
        };
        assert_eq!(verdict, text(row, "verdict"), "{row}");
        if verdict == "authentic" {
            assert_eq!(key.sign(timestamp, &request), signature, "{row}");
        }
    }
}

/// The SHA-256 that a reader of the field finds in it.
fn sha256_in(field: &str) -> Digest {
    let (_, rest) = field.split_once("sha-256=:").unwrap();
    let bytes = STANDARD.decode(rest.split_once(':').unwrap().0).unwrap();
    Digest::from_bytes(bytes.try_into().unwrap())
}

#[test]
fn digests_cover_bodies_seen_and_unseen() {
    for row in rows(&vectors!("digests.json"), "cases") {
        let key = Secret::from_bytes(STANDARD.decode(text(row, "secret")).unwrap()).key();
        let content = match row["body"].as_str() {
            Some(body) => Content::Body(body.as_bytes()),
            None => Content::Unseen,
        };
        let (method, target) = (text(row, "method"), text(row, "target"));
        let request = SignedRequest { method, target, content };
        let (timestamp, field) = (text(row, "timestamp"), text(row, "content_digest"));
        let signed = SignedHeaders::parse("key", timestamp, text(row, "signature")).unwrap();
        let signed = signed.covering_digest(field, sha256_in(field));
        let (none, now) = (ScopeSet::default(), moment(row, "timestamp").unwrap());
        let verdict = Authentic::by_signature(&key, &signed, &request, now, &free_bounds(&none))
            .map_or_else(Denial::as_str, |(_, proof)| BodyProof::as_str(proof));
        assert_eq!(verdict, text(row, "verdict"), "{row}");
    }
}

#[test]
fn timestamps_are_read_refused_and_written() {
    let file = vectors!("timestamps.json");
    for row in rows(&file, "read") {
        let read = Timestamp::parse(text(row, "text")).map(Timestamp::as_millis);
        assert_eq!(read, Ok(number(row, "millis")), "{row}");
    }
    for refused in rows(&file, "refused") {
        assert!(Timestamp::parse(refused.as_str().unwrap()).is_err(), "{refused}");
    }
    for row in rows(&file, "written") {
        let time = Timestamp::from_millis(number(row, "millis"));
        assert_eq!(time.to_rfc3339_seconds(), text(row, "seconds"), "{row}");
        assert_eq!(time.to_rfc3339_millis(), text(row, "milliseconds"), "{row}");
    }
}

#[test]
fn targets_have_one_path_or_a_fault() {
    let file = vectors!("targets.json");
    for row in rows(&file, "accepted") {
        assert_eq!(
            unambiguous_path(text(row, "target")).as_deref(),
            Ok(text(row, "path")),
            "{row}"
        );
    }
    for row in rows(&file, "refused") {
        let fault = match unambiguous_path(text(row, "target")).unwrap_err() {
            TargetFault::NotAPath => "not_a_path",
            TargetFault::TooLong => "too_long",
            TargetFault::EmptySegment => "empty_segment",
            TargetFault::DotSegment => "dot_segment",
            TargetFault::Separator => "separator",
            TargetFault::Control => "control",
            TargetFault::Character => "character",
            TargetFault::Encoding => "encoding",
        };
        assert_eq!(fault, text(row, "fault"), "{row}");
    }
}

#[test]
fn decisions_are_made() {
    let file = vectors!("decisions.json");
    for row in rows(&file, "cases") {
        let (token, owner, demand) = (&row["token"], &row["owner"], &row["demand"]);
        let held = scopes(token, "scopes").unwrap();
        let (allowed, needed) =
            (scopes(owner, "allowed_scopes"), scopes(demand, "scopes").unwrap());
        let (own, owners) = (networks(token), networks(owner));
        let bounds = Bounds {
            kind: TokenKind::parse(text(token, "kind")).unwrap(),
            issued_at: moment(token, "issued_at").unwrap(),
            expires_at: moment(token, "expires_at"),
            revoked: flag(token, "revoked"),
            owner_suspended: flag(owner, "suspended"),
            networks: own.as_ref(),
            owner_networks: owners.as_ref(),
            not_before: NotBefore {
                owner: moment(owner, "not_before"),
                tenant: moment(owner, "tenant_not_before"),
                everything: moment(owner, "everything_not_before"),
            },
            owner_scopes: allowed.as_ref(),
            ..free_bounds(&held)
        };
        let any = Fingerprint::from(&Digest::of(b"any"));
        let authentic = Authentic::by_fingerprint(&any, &any, &bounds).unwrap();
        let client = demand["client"].as_str().map(|address| address.parse().unwrap());
        let demand = Demand { admin: flag(demand, "admin"), scopes: &needed, client };
        let verdict = decide(authentic, &demand, moment(&file, "now").unwrap())
            .map_or_else(Denial::as_str, |_| "permitted");
        assert_eq!(verdict, text(row, "verdict"), "{row}");
    }
}

#[test]
fn audit_chain_has_its_hashes() {
    let mut previous = audit::GENESIS;
    for row in rows(&vectors!("audit.json"), "entries") {
        let entry = audit::Entry {
            seq: row["seq"].as_u64().unwrap(),
            at: Timestamp::from_millis(number(row, "at")),
            actor: Actor::from_stored(text(row, "actor")),
            action: text(row, "action").into(),
            subject: text(row, "subject").into(),
            detail: text(row, "detail").into(),
        };
        previous = audit::link(&previous, &entry);
        assert_eq!(hex(&previous), text(row, "hash"), "{row}");
    }
}
