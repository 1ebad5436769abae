//! Tokens: issued, succeeded, changed, ended, and what is said of it.

use super::{blocks, holding, names};
use crate::{
    By, Epoch, IssueError, NewRotation, NewToken, Overlap, Revocation, RevocationOfAll,
    RotateError, outage::Stop, seal::Place,
};
use rescind_core::{
    Owner, RevocationReason, Rotation, ScopeSet, Timestamp, TokenId, TokenRecord, TokenState,
    successor_end,
};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Where a signing token's secret stands.
pub(crate) fn secret_place(id: &TokenId) -> Place<'_> {
    Place { table: "tokens", row: id.as_str(), column: "sealed_secret" }
}

/// An owner, and the strictest bound on its tokens of one kind.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) owner: Owner,
    pub(crate) not_before: Option<Timestamp>,
}

impl Holder {
    pub(crate) fn has_taken_back(&self, record: &TokenRecord) -> bool {
        self.not_before.is_some_and(|start| record.issued_at < start)
    }

    /// Now, or the bound, if clocks have it that the set of tokens that was taken back reaches
    /// beyond now. A token that comes after that write is none of them.
    pub(crate) fn time_of_issue(&self, now: Timestamp) -> Timestamp {
        self.not_before.map_or(now, |start| now.max(start))
    }

    /// Tokens issued before this are not in force.
    pub(crate) fn start(&self) -> Timestamp {
        self.not_before.unwrap_or(Timestamp::MIN)
    }

    pub(crate) fn issued(&self, new: &NewToken, by: &By) -> TokenRecord {
        TokenRecord {
            id: new.id.clone(),
            owner: new.owner.clone(),
            kind: new.kind,
            label: new.label.clone(),
            scopes: new.scopes.clone(),
            issued_at: match new.issued_at {
                Some(elsewhere) => elsewhere.min(by.at),
                None => self.time_of_issue(by.at),
            },
            expires_at: new.expires_at,
            allowed_networks: new.allowed_networks.clone(),
            rotation: None,
            state: TokenState::Active,
        }
    }

    /// What the old one may still do, and no more: a scope that the owner has lost is not renewed.
    pub(crate) fn successor(&self, what: &NewRotation, old: &TokenRecord, by: &By) -> TokenRecord {
        let overlap_from_first_use = match what.overlap {
            Overlap::FromFirstUse(overlap) => Some(overlap),
            Overlap::None | Overlap::FromNow(_) => None,
        };
        TokenRecord {
            id: what.id.clone(),
            scopes: self.kept(&old.scopes),
            issued_at: self.time_of_issue(by.at),
            expires_at: successor_end(old, what.lifetime, &by.actor, by.at),
            rotation: Some(Rotation { from: old.id.clone(), overlap_from_first_use }),
            ..old.clone()
        }
    }

    /// Those of a set that the owner may still have. They are names of a set, so they are one.
    fn kept(&self, scopes: &ScopeSet) -> ScopeSet {
        let allowed = self.owner.capabilities.allowed_scopes.as_ref();
        let kept = scopes.iter().filter(|name| allowed.is_none_or(|most| most.contains(name)));
        ScopeSet::parse(kept).unwrap_or_default()
    }
}

/// The old token after its successor has ended it.
pub(crate) fn superseded(old: TokenRecord, by: &By) -> TokenRecord {
    let reason = RevocationReason::Superseded;
    TokenRecord { state: TokenState::Revoked { at: by.at, by: by.actor.clone(), reason }, ..old }
}

/// Within a rotation, what refuses the new token.
pub(crate) fn refused<F>(stop: Stop<IssueError, F>) -> Stop<RotateError, F> {
    match stop {
        Stop::Fault(fault) => Stop::Fault(fault),
        Stop::Refused(IssueError::Denied(denial)) => Stop::Refused(RotateError::Denied(denial)),
        Stop::Refused(IssueError::Store(error)) => Stop::Refused(RotateError::Store(error)),
        Stop::Refused(IssueError::Exists) => Stop::Refused(RotateError::Exists),
        Stop::Refused(IssueError::UnknownOwner) => Stop::Refused(RotateError::Unknown),
    }
}

/// How a token differs from what verifiers hold of it: the reasons in the log. None decides by its
/// label.
pub(crate) fn changes(before: &TokenRecord, after: &TokenRecord) -> Vec<&'static str> {
    holding([
        ("scopes_narrowed", after.scopes != before.scopes),
        ("end_moved_closer", after.expires_at != before.expires_at),
        ("networks_changed", after.allowed_networks != before.allowed_networks),
    ])
}

pub(crate) fn issuance(record: &TokenRecord) -> Value {
    json!({
        "owner": record.owner.as_str(),
        "kind": record.kind.as_str(),
        "label": record.label,
        "scopes": names(&record.scopes),
        "expires_at": record.expires_at.map(Timestamp::to_rfc3339_millis),
        "allowed_networks": record.allowed_networks.as_ref().map(blocks),
        "rotated_from": record.rotation.as_ref().map(|rotation| rotation.from.as_str()),
    })
}

pub(crate) fn difference(before: &TokenRecord, after: &TokenRecord) -> Value {
    let mut detail = Map::new();
    if before.label != after.label {
        detail.insert("label".into(), json!(after.label));
    }
    if before.scopes != after.scopes {
        detail.insert("scopes".into(), json!(names(&after.scopes)));
    }
    if before.expires_at != after.expires_at {
        let end = after.expires_at.map(Timestamp::to_rfc3339_millis);
        detail.insert("expires_at".into(), json!(end));
    }
    if before.allowed_networks != after.allowed_networks {
        let networks = after.allowed_networks.as_ref().map(blocks);
        detail.insert("allowed_networks".into(), json!(networks));
    }
    Value::Object(detail)
}

pub(crate) fn revocation(what: &Revocation, epoch: Epoch) -> Value {
    json!({"reason": what.reason.as_str(), "epoch": epoch})
}

pub(crate) fn revocation_of_all(what: &RevocationOfAll, count: usize, epoch: Epoch) -> Value {
    let (reason, kind) = (what.reason.as_str(), what.kind.as_str());
    json!({"reason": reason, "kind": kind, "count": count, "epoch": epoch})
}

pub(crate) fn set_revocation(reason: RevocationReason, start: Timestamp, epoch: Epoch) -> Value {
    let start = start.to_rfc3339_millis();
    json!({"reason": reason.as_str(), "issued_before": start, "epoch": epoch})
}

pub(crate) fn overlap_from_first_use(to: &TokenId, overlap: Duration) -> Value {
    json!({"to": to.as_str(), "overlap_from_first_use_ms": overlap.as_millis()})
}

pub(crate) fn overlap_until(to: &TokenId, end: Timestamp) -> Value {
    json!({"to": to.as_str(), "expires_at": end.to_rfc3339_millis()})
}
