//! Who an identity token speaks for, as a stranger's text and as claims that the issuer did sign:
//! whatever is accepted is for this audience, by this issuer, about somebody, and not over.

#![no_main]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use libfuzzer_sys::fuzz_target;
use rescind_coherence::BootInstant;
use rescind_core::Timestamp;
use rescind_guard::Clock;
use rescind_server::config;
use rescind_server::service::identity::{
    IDENTITY_BYTES_MAX, Identified, Identity, SUBJECT_BYTES_MAX,
};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "app";
const NOW_SECONDS: i64 = 1_790_000_000;

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOW_SECONDS * 1000)
    }

    fn boottime(&self) -> BootInstant {
        BootInstant::from_millis(1)
    }
}

struct World {
    identity: Identity,
    runtime: Runtime,
    key: EncodingKey,
    header: Header,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    let key = EncodingKey::from_ec_der(pair.expect("a key").as_ref());
    let mut public = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("its public half");
    public.common.key_id = Some("k".into());
    let file = std::env::temp_dir().join(format!("rescind-fuzz-{}.json", std::process::id()));
    std::fs::write(&file, json!({"keys": [public]}).to_string()).expect("a key file");
    let issuer = config::Issuer {
        issuer: ISSUER.into(),
        audience: AUDIENCE.into(),
        jwks_file: Some(file.clone()),
        jwks_url: None,
        create_partners: true,
        refresh: Duration::from_mins(10),
    };
    let config = config::Identity { issuers: vec![issuer] };
    let identity = Identity::new(&config, Arc::new(Stopped)).expect("an issuer");
    std::fs::remove_file(file).expect("the key file");
    let header = Header { kid: Some("k".into()), ..Header::new(Algorithm::ES256) };
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    World { identity, runtime, key, header }
});

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    // A stranger has no key: this run's own was never told.
    assert_eq!(identify(text), None);
    let Ok(claims) = serde_json::from_str::<Value>(text) else { return };
    let signed = jsonwebtoken::encode(&WORLD.header, &claims, &WORLD.key).expect("it is signed");
    let Some(who) = identify(&signed) else { return };
    check(&who);
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["sub"], who.subject.as_str());
    let audience = &claims["aud"];
    let among = || audience.as_array().is_some_and(|all| all.contains(&AUDIENCE.into()));
    assert!(audience == AUDIENCE || among(), "for {audience}");
    assert!(claims["exp"].as_i64().is_some_and(|at| at > NOW_SECONDS), "it is over");
    let not_yet = |name: &str| claims[name].as_i64().is_some_and(|at| at > NOW_SECONDS + 30);
    assert!(!not_yet("nbf") && !not_yet("iat"), "it has not begun");
    assert!(signed.len() <= IDENTITY_BYTES_MAX);
    for changed in [&signed[1..], &signed[..signed.len() - 1], &format!("{signed}.")] {
        assert_eq!(identify(changed), None);
    }
});

fn identify(token: &str) -> Option<Identified> {
    WORLD.runtime.block_on(WORLD.identity.identify(token)).ok()
}

fn check(who: &Identified) {
    assert_eq!(who.issuer, ISSUER);
    assert!((1..=SUBJECT_BYTES_MAX).contains(&who.subject.len()));
    assert!(!who.subject.contains(char::is_control));
    let Some(account) = &who.account else { return };
    let digits = account.strip_prefix("0x").expect("an address");
    assert!(digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
}
