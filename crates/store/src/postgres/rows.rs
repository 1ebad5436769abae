//! Rows as values of the domain, read from left to right.

use super::fault::Fault;
use crate::{
    AuditRow, Epoch, KeyRing, KeyRingError, Material, StoredToken, mutation::token::secret_place,
    rows,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use rescind_core::{
    ActingToken, Actor, Capabilities, Digest, NetworkSet, NotBefore, Owner, OwnerKind, TenantId,
    Timestamp, TokenId, TokenRecord, audit, signature::Secret,
};
use tokio_postgres::{Row, types::FromSql};

pub(super) const OWNER_COLUMNS: &str = "owners.id, owners.kind, owners.email, owners.first_name, \
    owners.last_name, owners.profile_id, owners.account, owners.issuer, owners.subject, \
    owners.name, owners.tenant, owners.suspended_at, owners.suspended_by, owners.not_before, \
    owners.token_management, owners.allowed_scopes, owners.allowed_networks, owners.created_at";

pub(super) const RECORD_COLUMNS: &str = "tokens.id, tokens.owner, tokens.kind, tokens.label, \
    tokens.scopes, tokens.issued_at, tokens.expires_at, tokens.allowed_networks, \
    tokens.rotated_from, tokens.overlap_from_first_use, tokens.revoked_at, tokens.revoked_by, \
    tokens.revocation_reason";

/// The strictest of the bounds that set revocations have set on a token, or null. As
/// `rescind_core::NotBefore` has it, "everything" leaves operators' tokens alone.
pub(super) const NOT_BEFORE: &str = "greatest(owners.not_before,
    (SELECT bounds.not_before FROM bounds WHERE bounds.tenant = owners.tenant),
    (SELECT bounds.not_before FROM bounds WHERE bounds.tenant = '' AND tokens.kind <> 'admin'))";

/// What bounds an owner's tokens from above: see [`Columns::acting_token`].
pub(super) const ABOVE_COLUMNS: &str = "owners.suspended_at IS NOT NULL, owners.token_management,
    owners.allowed_scopes, owners.allowed_networks, owners.not_before,
    (SELECT not_before FROM bounds WHERE bounds.tenant = owners.tenant),
    (SELECT not_before FROM bounds WHERE bounds.tenant = '')";

/// What is asked of tokens, with what must be known of each: see [`Columns::token`].
pub(super) fn tokens_where(condition: &str) -> String {
    format!(
        "SELECT {RECORD_COLUMNS}, tokens.last_used_at, owners.tenant, {NOT_BEFORE},
             (SELECT next.id FROM tokens AS next
              WHERE next.rotated_from = tokens.id AND next.revoked_at IS NULL
              ORDER BY next.seq DESC LIMIT 1)
         FROM tokens JOIN owners ON owners.id = tokens.owner WHERE {condition}"
    )
}

pub(super) const AUDIT_COLUMNS: &str = "seq, at, actor, action, subject, detail, hash";

/// What is left to read of a row.
pub(super) struct Columns<'r> {
    row: &'r Row,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(super) fn of(row: &'r Row) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn get<T: FromSql<'r>>(&mut self) -> Result<T, Fault> {
        let at = self.next;
        self.next += 1;
        self.row.try_get(at).map_err(|error| Fault::Value(crate::outage::chain(&error)))
    }

    /// [`OWNER_COLUMNS`].
    pub(super) fn owner(&mut self) -> Result<Owner, Fault> {
        Ok(Owner {
            id: rows::owner_id(self.get()?)?,
            kind: self.owner_kind()?,
            tenant: self.tenant()?,
            state: rows::owner_state(self.time_or_null()?, self.get()?)?,
            not_before: self.time_or_null()?,
            capabilities: self.capabilities()?,
            created_at: self.time()?,
        })
    }

    fn owner_kind(&mut self) -> Result<OwnerKind, Fault> {
        let kind: &str = self.get()?;
        let (email, first_name, last_name) = (self.get()?, self.get()?, self.get()?);
        let (profile_id, account) = (self.get()?, self.get()?);
        let (issuer, subject) = (self.get()?, self.get()?);
        let name: Option<String> = self.get()?;
        let kind = match kind {
            "user" => zip3(email, first_name, last_name).map(|(email, first_name, last_name)| {
                OwnerKind::User { email, first_name, last_name }
            }),
            "partner" => zip3(account, issuer, subject).zip(profile_id).map(
                |((account, issuer, subject), profile_id)| OwnerKind::Partner {
                    profile_id,
                    account,
                    issuer,
                    subject,
                },
            ),
            "operator" => name.map(|name| OwnerKind::Operator { name }),
            _ => None,
        };
        kind.ok_or_else(|| Fault::Value("an owner is of no kind".into()))
    }

    /// [`RECORD_COLUMNS`].
    pub(super) fn record(&mut self) -> Result<TokenRecord, Fault> {
        Ok(TokenRecord {
            id: self.token_id()?,
            owner: rows::owner_id(self.get()?)?,
            kind: rows::token_kind(self.get()?)?,
            label: self.get()?,
            scopes: rows::scopes(self.get()?)?,
            issued_at: self.time()?,
            expires_at: self.time_or_null()?,
            allowed_networks: self.networks()?,
            rotation: rows::rotation(
                self.get()?,
                self.get::<Option<i64>>()?.map(i64::unsigned_abs),
            )?,
            state: rows::token_state(self.time_or_null()?, self.get()?, self.get()?)?,
        })
    }

    /// [`RECORD_COLUMNS`], then [`ABOVE_COLUMNS`].
    pub(super) fn acting_token(&mut self) -> Result<ActingToken, Fault> {
        Ok(ActingToken {
            record: self.record()?,
            owner_suspended: self.get()?,
            capabilities: self.capabilities()?,
            not_before: NotBefore {
                owner: self.time_or_null()?,
                tenant: self.time_or_null()?,
                everything: self.time_or_null()?,
            },
        })
    }

    fn capabilities(&mut self) -> Result<Capabilities, Fault> {
        Ok(Capabilities {
            token_management: self.get()?,
            allowed_scopes: self.get::<Option<&str>>()?.map(rows::scopes).transpose()?,
            allowed_networks: self.networks()?,
        })
    }

    /// Of [`tokens_where`].
    pub(super) fn token(&mut self) -> Result<StoredToken, Fault> {
        Ok(StoredToken {
            record: self.record()?,
            last_used_at: self.time_or_null()?,
            tenant: self.tenant()?,
            not_before: self.time_or_null()?,
            superseded_by: self.get::<Option<&str>>()?.map(rows::token_id).transpose()?,
        })
    }

    /// `digest, sealed_secret` of an active token.
    pub(super) fn material(&mut self, id: &TokenId, keys: &KeyRing) -> Result<Material, Unopened> {
        let (digest, sealed) = (self.digest_or_null()?, self.get::<Option<&[u8]>>()?);
        match (digest, sealed) {
            (Some(digest), _) => Ok(Material::Digest(digest)),
            (None, sealed) => {
                let mut opened = keys
                    .open(secret_place(id), sealed.unwrap_or_default())
                    .map_err(|error| Unopened::Secret(id.clone(), error))?;
                Ok(Material::Secret(Secret::from_bytes(std::mem::take(&mut *opened))))
            }
        }
    }

    /// [`AUDIT_COLUMNS`].
    pub(super) fn audit_row(&mut self) -> Result<AuditRow, Fault> {
        Ok(AuditRow {
            entry: audit::Entry {
                seq: self.count()?,
                at: self.time()?,
                actor: Actor::from_stored(self.get()?),
                action: self.get()?,
                subject: self.get()?,
                detail: self.get()?,
            },
            hash: self.digest()?,
        })
    }

    pub(super) fn token_id(&mut self) -> Result<TokenId, Fault> {
        Ok(rows::token_id(self.get()?)?)
    }

    pub(super) fn tenant(&mut self) -> Result<Option<TenantId>, Fault> {
        Ok(self.get::<Option<&str>>()?.map(rows::tenant).transpose()?)
    }

    fn networks(&mut self) -> Result<Option<NetworkSet>, Fault> {
        Ok(self.get::<Option<&str>>()?.map(rows::networks).transpose()?)
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, Fault> {
        Ok(Timestamp::from_millis(self.get()?))
    }

    pub(super) fn time_or_null(&mut self) -> Result<Option<Timestamp>, Fault> {
        Ok(self.get::<Option<i64>>()?.map(Timestamp::from_millis))
    }

    pub(super) fn digest(&mut self) -> Result<Digest, Fault> {
        self.digest_or_null()?.ok_or_else(|| Fault::Value("a digest is null".into()))
    }

    pub(super) fn digest_or_null(&mut self) -> Result<Option<Digest>, Fault> {
        let Some(bytes) = self.get::<Option<&[u8]>>()? else { return Ok(None) };
        let bytes = bytes.try_into().map_err(|_| Fault::Value("a digest is cut short".into()))?;
        Ok(Some(Digest::from_bytes(bytes)))
    }

    /// An epoch, or another number that is never negative.
    pub(super) fn count(&mut self) -> Result<Epoch, Fault> {
        let found: i64 = self.get()?;
        u64::try_from(found).map_err(|_| Fault::Value(format!("count {found}")))
    }
}

/// A row that could not be read, or a secret that does not open.
pub(super) enum Unopened {
    Fault(Fault),
    Secret(TokenId, KeyRingError),
}

impl From<Fault> for Unopened {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<tokio_postgres::Error> for Unopened {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Fault(error.into())
    }
}

fn zip3<A, B, C>(a: Option<A>, b: Option<B>, c: Option<C>) -> Option<(A, B, C)> {
    Some((a?, b?, c?))
}

/// As `encode(…, 'base64')` writes one.
pub(super) fn digest_of(text: &str) -> Option<Digest> {
    Some(Digest::from_bytes(STANDARD.decode(text).ok()?.try_into().ok()?))
}

/// PostgreSQL counts in 63 bits; nothing comes after more than that.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
