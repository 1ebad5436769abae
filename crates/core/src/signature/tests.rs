use super::*;
use crate::{Authentic, Bounds, Denial, NotBefore, ScopeSet, Timestamp, TokenKind};
use alloc::{format, string::String};
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};
use rstest::rstest;

const TIME: &str = "2026-03-23T12:34:56.789Z";
/// 32 bytes 0xff, so that both letters in which the alphabets differ occur.
const ALL_ONES: &str = "//////////////////////////////////////////8=";

const POST: SignedRequest<'_> =
    SignedRequest::with_body("POST", "/orders?market=btc", br#"{"foo":"bar"}"#);

fn digits_key() -> SigningKey {
    Secret::from_bytes(b"01234567890123456789012345678901".to_vec()).key()
}

fn now() -> Timestamp {
    Timestamp::parse(TIME).unwrap()
}

/// Goes through the one public way in; what was seen of the body must have been covered.
fn verify(
    key: &SigningKey,
    time: &str,
    signature: &str,
    request: &SignedRequest<'_>,
    now: Timestamp,
) -> Result<(), Denial> {
    let scopes = ScopeSet::default();
    let bounds = Bounds {
        kind: TokenKind::Signing,
        issued_at: now,
        expires_at: None,
        revoked: false,
        scopes: &scopes,
        networks: None,
        not_before: NotBefore::default(),
        owner_suspended: false,
        owner_scopes: None,
        owner_networks: None,
    };
    let signed = SignedHeaders::parse("key", time, signature).unwrap();
    let (_, proof) = Authentic::by_signature(key, &signed, request, now, &bounds)?;
    assert_eq!(proof, BodyProof::Verified);
    Ok(())
}

/// What `signed` proves of the body of `request`.
fn proof(signed: &SignedHeaders<'_>, request: &SignedRequest<'_>) -> Option<BodyProof> {
    digits_key().verifies(signed, request)
}

const UNSEEN: SignedRequest<'_> = SignedRequest { content: Content::Unseen, ..POST };

/// Of the body of `POST`, as `openssl dgst -sha256 -binary | base64` has it.
const DIGEST: &str = "sha-256=:eji/gfOD9pQzrW6QDTWz4jhVk/dqe3q11DVbi6Qe4ks=:";

fn over_digest(text: &'static str) -> SignedHeaders<'static> {
    let signature = digits_key().sign_digest(TIME, &UNSEEN, text);
    let signed = SignedHeaders::parse("key", TIME, &signature).unwrap();
    signed.covering_digest(text, Digest::of(br#"{"foo":"bar"}"#))
}

#[test]
fn digest_that_is_signed_covers_the_body_and_nothing_else() {
    assert_eq!(proof(&over_digest(DIGEST), &POST), Some(BodyProof::Verified));
    let other = SignedRequest { content: Content::Body(b"{}"), ..POST };
    assert_eq!(proof(&over_digest(DIGEST), &other), None);
    let empty = SignedRequest { content: Content::Body(b""), ..POST };
    assert_eq!(proof(&over_digest(DIGEST), &empty), None);
}

#[test]
fn body_that_was_not_seen_is_never_called_verified() {
    assert_eq!(proof(&over_digest(DIGEST), &UNSEEN), Some(BodyProof::Digest));
    let whole = digits_key().sign(TIME, &POST);
    let whole = SignedHeaders::parse("key", TIME, &whole).unwrap();
    assert_eq!(proof(&whole, &UNSEEN), None);
    let empty = digits_key().sign(TIME, &UNSEEN);
    let empty = SignedHeaders::parse("key", TIME, &empty).unwrap();
    assert_eq!(proof(&empty, &UNSEEN), Some(BodyProof::Empty));
    assert_eq!(proof(&empty, &POST), None);
}

#[test]
fn digest_is_signed_as_sent() {
    let signature = digits_key().sign_digest(TIME, &UNSEEN, DIGEST);
    let signed = SignedHeaders::parse("key", TIME, &signature).unwrap();
    let spaced = signed.covering_digest(" sha-256=:x:", Digest::of(br#"{"foo":"bar"}"#));
    assert_eq!(proof(&spaced, &POST), None);
}

/// A body that reads like the digest form is still a body.
#[test]
fn signature_of_one_form_is_none_of_the_other() {
    let body = SignedRequest { content: Content::Body(DIGEST.as_bytes()), ..POST };
    let signature = digits_key().sign(TIME, &body);
    let signed = SignedHeaders::parse("key", TIME, &signature).unwrap();
    assert_eq!(proof(&signed, &body), Some(BodyProof::Verified));
    let as_digest = signed.covering_digest(DIGEST, Digest::of(br#"{"foo":"bar"}"#));
    assert_eq!(proof(&as_digest, &POST), None);
    let signature = digits_key().sign_digest(TIME, &UNSEEN, DIGEST);
    let as_body = SignedHeaders::parse("key", TIME, &signature).unwrap();
    assert_eq!(proof(&as_body, &body), None);
}

#[test]
fn every_proof_has_its_own_name() {
    use BodyProof::{Digest, Empty, Unsigned, Verified};
    let names = [Unsigned, Verified, Digest, Empty].map(BodyProof::as_str);
    assert_eq!(names, ["unsigned", "verified", "digest", "empty"]);
}

/// The vectors of the Go and TypeScript SDKs' own tests.
#[rstest]
#[case::digits(
    b"01234567890123456789012345678901",
    "POST",
    "oMeoGw/k9lOlgmdkx4Upqmm99pJ2pHBYkt1CRO5d6bk="
)]
#[case::short_secret(b"super-secret-key", "PATCH", "mgMUpOd7FH4sOSti2MF30YKF9yDq+67VjFksPa5I5eE=")]
fn signatures_of_the_sdks_verify(
    #[case] secret: &[u8],
    #[case] method: &str,
    #[case] signature: &str,
) {
    let key = Secret::from_bytes(secret.to_vec()).key();
    let request = SignedRequest { method, ..POST };
    assert_eq!(key.sign(TIME, &request), signature);
    assert_eq!(verify(&key, TIME, signature, &request, now()), Ok(()));
}

#[rstest]
#[case::method(SignedRequest { method: "PUT", ..POST })]
#[case::path(SignedRequest { target: "/order?market=btc", ..POST })]
#[case::query(SignedRequest { target: "/orders?market=eth", ..POST })]
#[case::no_query(SignedRequest { target: "/orders", ..POST })]
#[case::other_spelling(SignedRequest { target: "/orders?market=%62tc", ..POST })]
#[case::trailing_slash(SignedRequest { target: "/orders/?market=btc", ..POST })]
#[case::absolute_form(SignedRequest { target: "http://h/orders?market=btc", ..POST })]
#[case::body(SignedRequest { content: Content::Body(br#"{"foo":"baz"}"#), ..POST })]
#[case::blank_in_the_body(SignedRequest { content: Content::Body(br#"{"foo": "bar"}"#), ..POST })]
#[case::body_with_line_feed(SignedRequest { content: Content::Body(b"{\"foo\":\"bar\"}\n"), ..POST })]
#[case::no_body(SignedRequest { content: Content::Body(b""), ..POST })]
fn every_part_of_the_request_is_covered(#[case] changed: SignedRequest<'_>) {
    let key = digits_key();
    let signature = key.sign(TIME, &POST);
    assert_eq!(verify(&key, TIME, &signature, &POST, now()), Ok(()));
    assert_eq!(verify(&key, TIME, &signature, &changed, now()), Err(Denial::BadSignature));
}

#[rstest]
#[case::other_millisecond("2026-03-23T12:34:56.788Z")]
#[case::same_instant_in_other_words("2026-03-23T12:34:56.789+00:00")]
#[case::same_instant_with_more_digits("2026-03-23T12:34:56.7890Z")]
fn timestamp_is_covered_as_it_was_sent(#[case] time: &str) {
    let signature = digits_key().sign(TIME, &POST);
    let verdict = verify(&digits_key(), time, &signature, &POST, now());
    assert_eq!(verdict, Err(Denial::BadSignature));
}

#[test]
fn key_is_covered() {
    let signature = digits_key().sign(TIME, &POST);
    let other = Secret::from_bytes(b"01234567890123456789012345678902".to_vec()).key();
    assert_eq!(verify(&other, TIME, &signature, &POST, now()), Err(Denial::BadSignature));
}

#[test]
fn method_is_signed_in_upper_case() {
    let key = digits_key();
    let signature = key.sign(TIME, &POST);
    for method in ["post", "Post", "pOST"] {
        let request = SignedRequest { method, ..POST };
        assert_eq!(verify(&key, TIME, &signature, &request, now()), Ok(()), "{method}");
    }
}

#[test]
fn parts_cannot_run_into_each_other() {
    let key = digits_key();
    let request = SignedRequest::with_body("POST", "/A", b"b\nc");
    let signature = key.sign(TIME, &request);
    assert_eq!(verify(&key, TIME, &signature, &request, now()), Ok(()));
    let shifted = SignedRequest::with_body("POST", "/A\nb", b"c");
    assert_eq!(key.sign(TIME, &shifted), signature);
    assert_eq!(verify(&key, TIME, &signature, &shifted, now()), Err(Denial::BadSignature));
    let shifted = SignedRequest::with_body("POST\n/A", "b", b"c");
    assert_eq!(key.sign(TIME, &shifted), signature);
    assert_eq!(verify(&key, TIME, &signature, &shifted, now()), Err(Denial::BadSignature));
}

#[test]
fn two_equal_requests_of_one_millisecond_both_verify() {
    let signature = digits_key().sign(TIME, &POST);
    for _ in 0..2 {
        assert_eq!(verify(&digits_key(), TIME, &signature, &POST, now()), Ok(()));
    }
}

#[rstest]
#[case::same(0, Ok(()))]
#[case::late_at_the_edge(30_000, Ok(()))]
#[case::late(30_001, Err(Denial::OutsideWindow))]
#[case::early_at_the_edge(-30_000, Ok(()))]
#[case::early(-30_001, Err(Denial::OutsideWindow))]
#[case::replayed_next_year(31_536_000_000, Err(Denial::OutsideWindow))]
#[case::clock_at_its_end(i64::MAX, Err(Denial::OutsideWindow))]
#[case::clock_at_its_start(i64::MIN, Err(Denial::OutsideWindow))]
fn window_is_thirty_seconds_on_both_sides(
    #[case] later: i64,
    #[case] expected: Result<(), Denial>,
) {
    let signature = digits_key().sign(TIME, &POST);
    let verdict = verify(&digits_key(), TIME, &signature, &POST, now().plus_millis(later));
    assert_eq!(verdict, expected);
}

#[rstest]
#[case::canonical(ALL_ONES, true)]
#[case::url_safe("__________________________________________8=", false)]
#[case::unpadded("//////////////////////////////////////////8", false)]
#[case::overpadded("//////////////////////////////////////////8==", false)]
#[case::padded_with_more("//////////////////////////////////////////8=====", false)]
#[case::trailing_bits("//////////////////////////////////////////9=", false)]
#[case::thirty_one_bytes("/////////////////////////////////////////w==", false)]
#[case::thirty_three_bytes("////////////////////////////////////////////", false)]
#[case::hex("a0c7a81b0fe4f653a5826764c78529aa69bdf69276a4705892dd4244ee5de9b9", false)]
#[case::blank_before(" //////////////////////////////////////////8=", false)]
#[case::line_feed_after("//////////////////////////////////////////8=\n", false)]
#[case::line_feed_within("/////////////////////\n/////////////////////8=", false)]
#[case::two(
    "//////////////////////////////////////////8=,//////////////////////////////////////////8=",
    false
)]
#[case::non_ascii("\u{ff0f}/////////////////////////////////////////8=", false)]
#[case::empty("", false)]
fn mac_has_one_spelling(#[case] text: &str, #[case] good: bool) {
    assert_eq!(Mac::parse(text).is_some(), good);
}

#[test]
fn overlong_mac_is_refused_without_harm() {
    for length in [45, 48, 64, 65_536] {
        assert!(Mac::parse(&"A".repeat(length)).is_none(), "{length}");
    }
}

#[test]
fn random_secret_has_all_its_bytes_and_is_shown_in_padded_base64() {
    let secret = Secret::random(&mut StdRng::seed_from_u64(1));
    assert_eq!(secret.expose_bytes().len(), SECRET_BYTES);
    assert_ne!(secret.expose_bytes(), [0; SECRET_BYTES]);
    assert_ne!(secret.expose_bytes(), Secret::random(&mut StdRng::seed_from_u64(2)).expose_bytes());
    assert_eq!(&*Secret::from_bytes(alloc::vec![0xff; 32]).expose_base64(), ALL_ONES);
}

#[test]
fn debug_shows_nothing_of_a_secret() {
    let secret = Secret::from_bytes(b"SECRET".to_vec());
    assert_eq!(format!("{secret:?} {:?}", secret.key()), "Secret SigningKey");
    assert_eq!(format!("{:?}", Mac::parse(ALL_ONES).unwrap()), "Mac");
    assert_eq!(format!("{POST:?}"), "SignedRequest");
}

proptest! {
    #[test]
    fn what_was_signed_verifies_and_no_other_body_does(
        secret in prop::collection::vec(any::<u8>(), 1..100),
        method in "[A-Z]{1,10}",
        target in "/[!-~]{0,40}",
        body: Vec<u8>,
        other: Vec<u8>,
    ) {
        let key = Secret::from_bytes(secret).key();
        let request = SignedRequest::with_body(&method, &target, &body);
        let signature: String = key.sign(TIME, &request);
        prop_assert_eq!(verify(&key, TIME, &signature, &request, now()), Ok(()));
        prop_assume!(other != body);
        let changed = SignedRequest { content: Content::Body(&other), ..request };
        prop_assert_eq!(
            verify(&key, TIME, &signature, &changed, now()),
            Err(Denial::BadSignature)
        );
    }

    /// Each of the 256 bits counts.
    #[test]
    fn signature_with_one_flipped_bit_is_refused(at in 0..32_usize, bit in 0..8_u8) {
        let mut mac = STANDARD.decode(digits_key().sign(TIME, &POST)).unwrap();
        mac[at] ^= 1 << bit;
        let verdict = verify(&digits_key(), TIME, &STANDARD.encode(mac), &POST, now());
        prop_assert_eq!(verdict, Err(Denial::BadSignature));
    }

    #[test]
    fn mac_that_is_read_is_written_the_same(text in "[A-Za-z0-9+/]{42}[A-Za-z0-9+/=]{2}") {
        if let Some(mac) = Mac::parse(&text) {
            prop_assert_eq!(STANDARD.encode(mac.0), text);
        }
    }
}
