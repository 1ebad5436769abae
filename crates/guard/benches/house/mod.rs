//! A guard with many tokens.
//!
//! Each token comes from its number and is made again whenever it is wanted. Ten million texts that
//! are kept would take more memory than the index, and whoever walks through them measures how fast
//! texts are read.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rescind_core::signature::{Secret, SignedRequest, SigningKey};
use rescind_core::{
    Capabilities, Demand, Owner, OwnerId, OwnerKind, OwnerState, Plain, ScopeSet, SignedHeaders,
    Timestamp, TokenId, TokenKind, TokenPrefix, TokenRecord, TokenState,
};
use rescind_guard::{Clock, Guard};
use rescind_store::{Change, Follower, Material};
use std::sync::Arc;

/// How much there is in it.
#[derive(Clone, Copy)]
pub struct Size {
    pub tokens: u64,
    pub of_one_owner: u64,
    /// Signing tokens, beside the bearer tokens.
    pub signers: u64,
}

pub struct House {
    guard: Guard,
    clock: Arc<dyn Clock>,
    prefix: TokenPrefix,
    scopes: ScopeSet,
}

/// A signing token, as its client has it.
pub struct Signer {
    id: TokenId,
    pub key: SigningKey,
}

/// The three signing headers of a request.
pub struct Signed {
    key_id: TokenId,
    timestamp: String,
    signature: String,
}

impl House {
    pub fn new(size: Size, clock: Arc<dyn Clock>) -> Self {
        let prefix = TokenPrefix::parse("api_prod_").unwrap();
        let house = Self {
            guard: Guard::new(Arc::clone(&clock), vec![prefix.clone()]),
            clock,
            prefix,
            scopes: ScopeSet::parse(["trading"]).unwrap(),
        };
        let owners = size.tokens.max(size.signers).div_ceil(size.of_one_owner);
        (0..owners).for_each(|number| house.guard.apply(Change::Owner(house.owner(number))));
        (0..size.tokens).for_each(|number| house.issue(number, number / size.of_one_owner));
        (0..size.signers).for_each(|number| house.issue_signer(number, number / size.of_one_owner));
        house.guard.open_for_good();
        house
    }

    pub fn text(&self, number: u64) -> Plain {
        Plain::random(&self.prefix, &mut StdRng::seed_from_u64(number))
    }

    pub fn issue(&self, number: u64, owner: u64) {
        let record = self.record(id_of(number), owner, TokenKind::Bearer);
        let material = Material::Digest(self.text(number).digest());
        self.guard.apply(Change::Issued { record, material });
    }

    pub fn revoke(&self, number: u64) {
        let digest = Some(self.text(number).digest());
        self.guard.apply(Change::Revoked { id: id_of(number), digest });
    }

    pub fn bearer(&self, text: &str) -> bool {
        self.guard.bearer(text, &self.demand()).is_ok()
    }

    /// As a client signs it now.
    pub fn sign(&self, signer: &Signer, request: &SignedRequest<'_>) -> Signed {
        let timestamp = self.clock.now().to_rfc3339_millis();
        let signature = signer.key.sign(&timestamp, request);
        Signed { key_id: signer.id.clone(), timestamp, signature }
    }

    /// Headers and all: their reading is part of a signed request's cost, as hashing its text is
    /// of a bearer token's.
    pub fn signed(&self, signed: &Signed, request: &SignedRequest<'_>) -> bool {
        let headers = signed.headers();
        self.guard.signed(&headers, request, &self.demand()).is_ok()
    }

    fn issue_signer(&self, number: u64, owner: u64) {
        let (id, secret) = signer_of(number);
        let record = self.record(id, owner, TokenKind::Signing);
        self.guard.apply(Change::Issued { record, material: Material::Secret(secret) });
    }

    fn demand(&self) -> Demand<'_> {
        Demand { admin: false, scopes: &self.scopes, client: None }
    }

    fn owner(&self, number: u64) -> Owner {
        Owner {
            id: owner_id(number),
            kind: OwnerKind::User {
                email: format!("user{number}@example.com"),
                first_name: "Ada".into(),
                last_name: "Lovelace".into(),
            },
            tenant: None,
            state: OwnerState::Active,
            not_before: None,
            capabilities: Capabilities {
                token_management: true,
                allowed_scopes: None,
                allowed_networks: None,
            },
            created_at: self.clock.now(),
        }
    }

    fn record(&self, id: TokenId, owner: u64, kind: TokenKind) -> TokenRecord {
        TokenRecord {
            id,
            owner: owner_id(owner),
            kind,
            label: None,
            scopes: self.scopes.clone(),
            issued_at: Timestamp::from_millis(0),
            expires_at: None,
            allowed_networks: None,
            rotation: None,
            state: TokenState::Active,
        }
    }
}

impl Signer {
    pub fn numbered(number: u64) -> Self {
        let (id, secret) = signer_of(number);
        Self { id, key: secret.key() }
    }
}

impl Signed {
    pub fn headers(&self) -> SignedHeaders<'_> {
        SignedHeaders::parse(self.key_id.as_str(), &self.timestamp, &self.signature).unwrap()
    }
}

/// An id of a kind of token or owner, of its usual length.
fn id_of(number: u64) -> TokenId {
    TokenId::random("token_", &mut StdRng::seed_from_u64(!number))
}

fn owner_id(number: u64) -> OwnerId {
    OwnerId::random("user_", &mut StdRng::seed_from_u64(number))
}

fn signer_of(number: u64) -> (TokenId, Secret) {
    let mut rng = StdRng::seed_from_u64(number);
    (TokenId::random("", &mut rng), Secret::random(&mut rng))
}
