//! What an operation can work on: a user, a partner, an operator and their tokens, all of one
//! tenant, made anew for each question.

use crate::callers::Signer;
use crate::server::Server;
use rescind_core::signature::Secret;
use rescind_core::{
    Actor, NetworkSet, OwnerId, OwnerKind, Plain, ScopeSet, TenantId, Timestamp, TokenId, TokenKind,
};
use rescind_store::{By, Material, NewOwner, NewToken};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::OnceCell;

pub const TENANT: &str = "tenant_1";

pub struct Things {
    /// Told apart from all others.
    pub number: u32,
    pub user: OwnerId,
    pub partner: OwnerId,
    pub operator: OwnerId,
    pub user_token: Made,
    pub api_key: Made,
    pub signing: Made,
    pub admin_token: Made,
    pub signer: Signer,
}

/// A token: its id, and its text if it is a bearer's.
#[derive(Clone)]
pub struct Made {
    pub id: TokenId,
    pub text: String,
}

/// How an operator's token is to be.
#[derive(Clone, Copy, Default)]
pub struct Admin<'a> {
    pub scopes: &'a [&'a str],
    pub tenant: Option<&'a str>,
    pub networks: Option<&'a str>,
    pub expires_at: Option<Timestamp>,
}

pub const PASSWORD: &str = "every user has this one";

static NUMBER: AtomicU32 = AtomicU32::new(0);
/// Made once: it takes long on purpose.
static PASSWORD_HASH: OnceCell<String> = OnceCell::const_new();

impl Things {
    pub async fn make(server: &Server) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (first_name, last_name) = Default::default();
        let email = format!("user{number}@example.com");
        let user = OwnerKind::User { email, first_name, last_name };
        let user = server.owner("user", user, Some(TENANT)).await;
        let (account, issuer) = ("0x0".into(), crate::server::ISSUER.into());
        let subject = format!("subject{number}");
        let partner = OwnerKind::Partner { profile_id: 0, account, issuer, subject };
        let partner = server.owner("partner", partner, Some(TENANT)).await;
        let operator = OwnerKind::Operator { name: format!("operator{number}") };
        let operator = server.owner("operator", operator, Some(TENANT)).await;
        let (signing, secret) = server.signing_token(&partner).await;
        Self {
            number,
            user_token: server.bearer(&user, TokenKind::Bearer, Admin::default()).await,
            api_key: server.bearer(&partner, TokenKind::ApiKey, Admin::default()).await,
            admin_token: server.bearer(&operator, TokenKind::Admin, Admin::default()).await,
            signer: Signer::with(signing.as_str(), secret),
            signing: Made { id: signing, text: String::new() },
            user,
            partner,
            operator,
        }
    }
}

impl Server {
    pub async fn owner(&self, class: &str, kind: OwnerKind, tenant: Option<&str>) -> OwnerId {
        let id = OwnerId::random(&format!("{class}_"), &mut rand::rng());
        let is_user = matches!(kind, OwnerKind::User { .. });
        let hash = PASSWORD_HASH
            .get_or_init(async || self.services.passwords.hash(PASSWORD.into()).await.unwrap());
        let new = NewOwner {
            id: id.clone(),
            token_management: matches!(kind, OwnerKind::Partner { .. }),
            kind,
            tenant: tenant.map(|tenant| TenantId::parse(tenant).unwrap()),
            password_hash: if is_user { Some(hash.await.clone()) } else { None },
            allowed_scopes: None,
            allowed_networks: None,
            idempotency: None,
        };
        self.services.store.create_owner(new, self.by_test()).await.unwrap();
        id
    }

    pub async fn bearer(&self, owner: &OwnerId, kind: TokenKind, how: Admin<'_>) -> Made {
        let plain = Plain::random(self.services.prefix(kind), &mut rand::rng());
        let id = TokenId::random("matrix_", &mut rand::rng());
        let networks = how.networks.map(|block| NetworkSet::parse([block]).unwrap());
        let new = NewToken {
            scopes: ScopeSet::parse(how.scopes.iter().copied()).unwrap(),
            expires_at: how.expires_at,
            allowed_networks: networks,
            ..bare(id.clone(), owner.clone(), kind, Material::Digest(plain.digest()))
        };
        self.services.store.issue(new, self.by_test()).await.unwrap();
        Made { id, text: plain.expose().to_owned() }
    }

    async fn signing_token(&self, owner: &OwnerId) -> (TokenId, Vec<u8>) {
        let bytes = Plain::random(self.services.prefix(TokenKind::Bearer), &mut rand::rng());
        let bytes = bytes.expose().as_bytes()[..32].to_vec();
        let secret = Material::Secret(Secret::from_bytes(bytes.clone()));
        let id = TokenId::random("", &mut rand::rng());
        let new = bare(id.clone(), owner.clone(), TokenKind::Signing, secret);
        self.services.store.issue(new, self.by_test()).await.unwrap();
        (id, bytes)
    }

    pub fn by_test(&self) -> By {
        self.services.by(Actor::system("test"))
    }
}

fn bare(id: TokenId, owner: OwnerId, kind: TokenKind, material: Material) -> NewToken {
    NewToken {
        id,
        owner,
        kind,
        label: None,
        scopes: ScopeSet::default(),
        expires_at: None,
        allowed_networks: None,
        material,
        issued_at: None,
        idempotency: None,
    }
}
