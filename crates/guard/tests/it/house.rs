//! A guard with owners and tokens in it, and a clock that tests move.

use rescind_coherence::BootInstant;
use rescind_core::signature::{Secret, SignedRequest};
use rescind_core::{
    Actor, Capabilities, Demand, Denial, NetworkSet, Owner, OwnerId, OwnerKind, OwnerState, Plain,
    ScopeSet, SignedHeaders, TenantId, Timestamp, TokenId, TokenKind, TokenPrefix, TokenRecord,
    TokenState,
};
use rescind_guard::{Clock, Guard, Refusal};
use rescind_store::{Change, Follower, Material};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub const START: Timestamp = Timestamp::from_millis(1_774_267_200_000);

#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// As a signing client writes it.
    pub fn text(&self) -> String {
        self.now().to_rfc3339_millis()
    }

    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn boottime(&self) -> BootInstant {
        BootInstant::from_millis(1)
    }
}

pub struct House {
    pub guard: Arc<Guard>,
    pub clock: Arc<TestClock>,
}

pub struct Signer {
    pub id: TokenId,
    pub secret: Secret,
}

impl House {
    /// Open, with one owner, `ada`.
    pub fn open() -> Self {
        let house = Self::sealed();
        house.guard.open_for_good();
        house
    }

    pub fn sealed() -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(START.as_millis())));
        let prefixes = vec![TokenPrefix::parse("api_prod_").unwrap()];
        let guard = Arc::new(Guard::new(Arc::clone(&clock) as Arc<dyn Clock>, prefixes));
        guard.apply(Change::Owner(ada()));
        Self { guard, clock }
    }

    pub fn issue(&self, scopes: &[&str], expires_at: Option<Timestamp>) -> (TokenId, Plain) {
        self.issue_kind(TokenKind::Bearer, scopes, expires_at)
    }

    pub fn issue_kind(
        &self,
        kind: TokenKind,
        scopes: &[&str],
        expires_at: Option<Timestamp>,
    ) -> (TokenId, Plain) {
        let record = record(kind, scopes, expires_at);
        let id = record.id.clone();
        (id, self.issue_record(record))
    }

    pub fn issue_record(&self, record: TokenRecord) -> Plain {
        let (_, plain) = Self::bearer_record();
        self.guard.apply(Change::Issued { record, material: Material::Digest(plain.digest()) });
        plain
    }

    pub fn bearer_record() -> (TokenRecord, Plain) {
        let prefix = TokenPrefix::parse("api_prod_").unwrap();
        (record(TokenKind::Bearer, &[], None), Plain::random(&prefix, &mut rand::rng()))
    }

    pub fn issue_signing(&self, scopes: &[&str]) -> Signer {
        let secret = Secret::random(&mut rand::rng());
        let record = record(TokenKind::Signing, scopes, None);
        let id = record.id.clone();
        self.guard.apply(Change::Issued { record, material: Material::Secret(secret.clone()) });
        Signer { id, secret }
    }

    pub fn revoke(&self, id: &TokenId, plain: Option<&Plain>) {
        self.guard.apply(Change::Revoked { id: id.clone(), digest: plain.map(Plain::digest) });
    }

    pub fn ask(&self, plain: &Plain, scopes: &[&str]) -> Result<TokenId, Refusal> {
        let scopes = ScopeSet::parse(scopes.iter().copied()).unwrap();
        self.guard
            .bearer(plain.expose(), &demand(&scopes))
            .map(|verified| verified.token().id().clone())
    }

    pub fn ask_signed(
        &self,
        signer: &Signer,
        request: &SignedRequest<'_>,
    ) -> Result<TokenId, Refusal> {
        let timestamp = self.clock.text();
        let signature = signer.secret.key().sign(&timestamp, request);
        let signed = SignedHeaders::parse(signer.id.as_str(), &timestamp, &signature).unwrap();
        let verified = self.guard.signed(&signed, request, &demand(&ScopeSet::default()));
        verified.map(|verified| verified.token().id().clone())
    }

    /// Says what a token may do from now on.
    pub fn update(&self, record: &TokenRecord, plain: Option<&Plain>) {
        let (record, digest) = (record.clone(), plain.map(Plain::digest));
        self.guard.apply(Change::Updated { record, digest });
    }
}

pub fn ada() -> Owner {
    Owner {
        id: OwnerId::parse("user_ada").unwrap(),
        kind: OwnerKind::User {
            email: "ada@example.com".into(),
            first_name: "Ada".into(),
            last_name: String::new(),
        },
        tenant: Some(tenant()),
        state: OwnerState::Active,
        not_before: None,
        capabilities: Capabilities {
            token_management: true,
            allowed_scopes: None,
            allowed_networks: None,
        },
        created_at: START,
    }
}

pub fn tenant() -> TenantId {
    TenantId::parse("tenant_1").unwrap()
}

/// For the API, from nobody knows where.
pub fn demand(scopes: &ScopeSet) -> Demand<'_> {
    Demand { admin: false, scopes, client: None }
}

pub fn networks(blocks: &[&str]) -> NetworkSet {
    NetworkSet::parse(blocks.iter().copied()).unwrap()
}

pub fn suspended(owner: Owner) -> Owner {
    Owner { state: OwnerState::Suspended { at: START, by: Actor::system("test") }, ..owner }
}

pub const fn denied(denial: Denial) -> Refusal {
    Refusal::Denied(denial)
}

pub fn record(kind: TokenKind, scopes: &[&str], expires_at: Option<Timestamp>) -> TokenRecord {
    TokenRecord {
        id: TokenId::random("token_", &mut rand::rng()),
        owner: ada().id,
        kind,
        label: None,
        scopes: ScopeSet::parse(scopes.iter().copied()).unwrap(),
        issued_at: START,
        expires_at,
        allowed_networks: None,
        rotation: None,
        state: TokenState::Active,
    }
}
