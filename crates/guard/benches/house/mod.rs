//! A guard with many tokens, on the machine's own clock.

use rescind_coherence::BootInstant;
use rescind_core::signature::{Secret, SignedRequest};
use rescind_core::{
    Capabilities, Demand, Owner, OwnerId, OwnerKind, OwnerState, Plain, ScopeSet, SignedHeaders,
    Timestamp, TokenId, TokenKind, TokenPrefix, TokenRecord, TokenState,
};
use rescind_guard::clock::SystemClock;
use rescind_guard::{Clock, Guard};
use rescind_store::{Change, Follower, Material};
use std::sync::Arc;

/// The machine's clocks are read as ever; the wall clock's answer is put aside, so that a signature
/// stays recent.
struct BenchClock(Timestamp);

impl Clock for BenchClock {
    fn now(&self) -> Timestamp {
        std::hint::black_box(SystemClock.now());
        self.0
    }

    fn recent(&self) -> Timestamp {
        std::hint::black_box(SystemClock.recent());
        self.0
    }

    fn boottime(&self) -> BootInstant {
        SystemClock.boottime()
    }
}

pub struct House {
    guard: Guard,
    tokens: Vec<String>,
    pub secret: Secret,
    pub timestamp: String,
    scopes: ScopeSet,
}

const SIGNER: &str = "yMgNkJxBzzRUetgb";

impl House {
    pub fn with_tokens(count: usize) -> Self {
        let now = SystemClock.now();
        let guard = Guard::new(Arc::new(BenchClock(now)), Vec::new());
        let owner = owner(now);
        guard.apply(Change::Owner(owner.clone()));
        let prefix = TokenPrefix::parse("api_prod_").unwrap();
        let mut tokens = Vec::with_capacity(count);
        for _ in 0..count {
            let plain = Plain::random(&prefix, &mut rand::rng());
            let id = TokenId::random("token_", &mut rand::rng());
            let record = record(id, &owner, TokenKind::Bearer);
            guard.apply(Change::Issued { record, material: Material::Digest(plain.digest()) });
            tokens.push(plain.expose().to_owned());
        }
        let secret = Secret::random(&mut rand::rng());
        let record = record(TokenId::parse(SIGNER).unwrap(), &owner, TokenKind::Signing);
        guard.apply(Change::Issued { record, material: Material::Secret(secret.clone()) });
        guard.open_for_good();
        let scopes = ScopeSet::parse(["trading"]).unwrap();
        Self { guard, tokens, secret, timestamp: now.to_rfc3339_millis(), scopes }
    }

    pub fn token(&self, at: usize) -> &str {
        &self.tokens[at]
    }

    pub fn bearer(&self, text: &str) -> bool {
        self.guard.bearer(text, &self.demand()).is_ok()
    }

    pub fn signed(&self, signature: &str, request: &SignedRequest<'_>) -> bool {
        let signed = SignedHeaders::parse(SIGNER, &self.timestamp, signature).unwrap();
        let verified = self.guard.signed(&signed, request, &self.demand());
        assert!(verified.is_ok());
        true
    }

    fn demand(&self) -> Demand<'_> {
        Demand { admin: false, scopes: &self.scopes, client: None }
    }
}

fn owner(now: Timestamp) -> Owner {
    Owner {
        id: OwnerId::parse("partner_1").unwrap(),
        kind: OwnerKind::Partner {
            profile_id: 1,
            account: String::new(),
            issuer: "i".into(),
            subject: "s".into(),
        },
        tenant: None,
        state: OwnerState::Active,
        not_before: None,
        capabilities: Capabilities {
            token_management: true,
            allowed_scopes: Some(ScopeSet::parse(["trading", "withdrawal"]).unwrap()),
            allowed_networks: None,
        },
        created_at: now,
    }
}

fn record(id: TokenId, owner: &Owner, kind: TokenKind) -> TokenRecord {
    TokenRecord {
        id,
        owner: owner.id.clone(),
        kind,
        label: None,
        scopes: ScopeSet::parse(["trading"]).unwrap(),
        issued_at: owner.created_at,
        expires_at: None,
        allowed_networks: None,
        rotation: None,
        state: TokenState::Active,
    }
}
