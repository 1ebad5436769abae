//! Columns as values of the domain, as every engine writes them. A value that does not parse is an
//! error, never a default.

use rescind_core::{
    Actor, NetworkSet, OwnerId, OwnerKind, OwnerState, RevocationReason, Rotation, ScopeSet,
    TenantId, Timestamp, TokenId, TokenKind, TokenRecord, TokenState,
};
use std::time::Duration;

/// What a column has and what was found in it.
#[derive(Debug, thiserror::Error)]
#[error("{what} {found:?}")]
pub(crate) struct Unreadable {
    what: &'static str,
    found: String,
}

pub(crate) fn unreadable(what: &'static str, found: &str) -> Unreadable {
    Unreadable { what, found: found.into() }
}

pub(crate) fn owner_id(text: &str) -> Result<OwnerId, Unreadable> {
    OwnerId::parse(text).map_err(|_| unreadable("owner id", text))
}

pub(crate) fn token_id(text: &str) -> Result<TokenId, Unreadable> {
    TokenId::parse(text).map_err(|_| unreadable("token id", text))
}

pub(crate) fn tenant(text: &str) -> Result<TenantId, Unreadable> {
    TenantId::parse(text).map_err(|_| unreadable("tenant", text))
}

pub(crate) fn token_kind(text: &str) -> Result<TokenKind, Unreadable> {
    TokenKind::parse(text).ok_or_else(|| unreadable("token kind", text))
}

/// As [`ScopeSet::join`] with a space has it. An empty text has no names, but would split into one
/// empty name.
pub(crate) fn scopes(text: &str) -> Result<ScopeSet, Unreadable> {
    let names = text.split(' ').filter(|_| !text.is_empty());
    ScopeSet::parse(names).map_err(|_| unreadable("scopes", text))
}

/// As [`NetworkSet::join`] has it.
pub(crate) fn networks(text: &str) -> Result<NetworkSet, Unreadable> {
    let blocks = text.split(' ').filter(|_| !text.is_empty());
    NetworkSet::parse(blocks).map_err(|_| unreadable("networks", text))
}

pub(crate) fn owner_state(
    at: Option<Timestamp>,
    by: Option<&str>,
) -> Result<OwnerState, Unreadable> {
    match (at, by) {
        (Some(at), Some(by)) => Ok(OwnerState::Suspended { at, by: Actor::from_stored(by) }),
        (None, None) => Ok(OwnerState::Active),
        _ => Err(unreadable("suspended_at", "half of a suspension")),
    }
}

pub(crate) fn token_state(
    at: Option<Timestamp>,
    by: Option<&str>,
    reason: Option<&str>,
) -> Result<TokenState, Unreadable> {
    match (at, by, reason) {
        (None, None, None) => Ok(TokenState::Active),
        (Some(at), Some(by), Some(reason)) => Ok(TokenState::Revoked {
            at,
            by: Actor::from_stored(by),
            reason: RevocationReason::parse(reason)
                .ok_or_else(|| unreadable("revocation_reason", reason))?,
        }),
        _ => Err(unreadable("revoked_at", "part of a revocation")),
    }
}

pub(crate) fn rotation(
    from: Option<&str>,
    overlap_millis: Option<u64>,
) -> Result<Option<Rotation>, Unreadable> {
    let Some(from) = from else { return Ok(None) };
    let overlap_from_first_use = overlap_millis.map(Duration::from_millis);
    Ok(Some(Rotation { from: token_id(from)?, overlap_from_first_use }))
}

/// What is still waited for, in milliseconds.
pub(crate) fn overlap_millis(record: &TokenRecord) -> Option<i64> {
    let overlap = record.rotation.as_ref()?.overlap_from_first_use?;
    Some(i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX))
}

/// An owner's kind as columns; those of other kinds stay null.
#[derive(Debug, Default)]
pub(crate) struct KindColumns<'a> {
    pub(crate) email: Option<&'a str>,
    pub(crate) first_name: Option<&'a str>,
    pub(crate) last_name: Option<&'a str>,
    pub(crate) profile_id: Option<i32>,
    pub(crate) account: Option<&'a str>,
    pub(crate) issuer: Option<&'a str>,
    pub(crate) subject: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
}

impl<'a> KindColumns<'a> {
    pub(crate) fn of(kind: &'a OwnerKind) -> Self {
        match kind {
            OwnerKind::User { email, first_name, last_name } => Self {
                email: Some(email),
                first_name: Some(first_name),
                last_name: Some(last_name),
                ..Self::default()
            },
            OwnerKind::Partner { profile_id, account, issuer, subject } => Self {
                profile_id: Some(*profile_id),
                account: Some(account),
                issuer: Some(issuer),
                subject: Some(subject),
                ..Self::default()
            },
            OwnerKind::Operator { name } => Self { name: Some(name), ..Self::default() },
        }
    }
}
