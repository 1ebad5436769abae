//! The decision. Every way of enforcement ends in [`decide`], and nothing else says yes.

use crate::signature::{BodyProof, SIGNATURE_WINDOW_MILLIS, SignedRequest, SigningKey};
use crate::{Fingerprint, NetworkSet, ScopeSet, SignedHeaders, Timestamp, TokenKind};
use core::net::IpAddr;

/// Every fact that the decision rests on, as the index knows it now.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<'a> {
    pub kind: TokenKind,
    pub issued_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked: bool,
    pub scopes: &'a ScopeSet,
    pub networks: Option<&'a NetworkSet>,
    pub not_before: NotBefore,
    pub owner_suspended: bool,
    pub owner_scopes: Option<&'a ScopeSet>,
    pub owner_networks: Option<&'a NetworkSet>,
}

/// Tokens issued before these moments have been taken back as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotBefore {
    pub owner: Option<Timestamp>,
    pub tenant: Option<Timestamp>,
    pub everything: Option<Timestamp>,
}

impl NotBefore {
    /// The latest of them. "Everything" leaves operators' tokens alone: whoever takes back all
    /// tokens of the API's clients must be able to go on working.
    pub fn strictest(self, kind: TokenKind) -> Option<Timestamp> {
        let everything = if kind == TokenKind::Admin { None } else { self.everything };
        self.owner.max(self.tenant).max(everything)
    }
}

impl<'a> Bounds<'a> {
    /// What the token may still do: its scopes, as far as its owner's allow. Tell others these and
    /// not `scopes`, or a scope that was taken from the owner lives on behind the gateway.
    pub fn granted(self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let Self { scopes, owner_scopes, .. } = self;
        scopes.iter().filter(move |name| owner_scopes.is_none_or(|most| most.contains(name)))
    }
}

/// What the request needs: who is asked, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// Whether an operator's token is wanted (the admin listener) or a token for the API behind us.
    pub admin: bool,
    pub scopes: &'a ScopeSet,
    /// Where the request comes from, as far as it is known.
    pub client: Option<IpAddr>,
}

/// A presented credential that matched a record. Not yet a yes.
#[derive(Clone, Copy, Debug)]
pub struct Authentic<'a>(&'a Bounds<'a>);

/// A credential that passed [`decide`] at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Permitted<'a>(&'a Bounds<'a>);

/// Why not. Precise inside, for audit and metrics; outside every one but [`Denial::MissingScope`]
/// is the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Denial {
    #[error("no such token")]
    Unknown,
    #[error("no such token: its check characters are wrong")]
    Mistyped,
    #[error("the signature does not match the request")]
    BadSignature,
    #[error("the timestamp is outside the signature window")]
    OutsideWindow,
    #[error("revoked")]
    Revoked,
    #[error("expired")]
    Expired,
    #[error("issued before the time up to which all tokens were taken back")]
    IssuedBefore,
    #[error("the owner is suspended")]
    OwnerSuspended,
    #[error("not a token for this listener")]
    WrongAudience,
    #[error("not from a network that it may be used from")]
    WrongNetwork,
    #[error("a required scope is missing")]
    MissingScope,
}

impl Denial {
    pub const ALL: [Self; 11] = [
        Self::Unknown,
        Self::Mistyped,
        Self::BadSignature,
        Self::OutsideWindow,
        Self::Revoked,
        Self::Expired,
        Self::IssuedBefore,
        Self::OwnerSuspended,
        Self::WrongAudience,
        Self::WrongNetwork,
        Self::MissingScope,
    ];

    /// Whether the caller is known and may be told that it lacks a scope (403), or is not (401).
    pub const fn is_forbidden(self) -> bool {
        matches!(self, Self::MissingScope)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Mistyped => "mistyped",
            Self::BadSignature => "bad_signature",
            Self::OutsideWindow => "outside_window",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::IssuedBefore => "issued_before",
            Self::OwnerSuspended => "owner_suspended",
            Self::WrongAudience => "wrong_audience",
            Self::WrongNetwork => "wrong_network",
            Self::MissingScope => "missing_scope",
        }
    }
}

impl<'a> Authentic<'a> {
    /// A bearer token is its holder's if its fingerprint is the stored one.
    pub fn by_fingerprint(
        presented: &Fingerprint,
        stored: &Fingerprint,
        bounds: &'a Bounds<'a>,
    ) -> Result<Self, Denial> {
        if presented == stored { Ok(Self(bounds)) } else { Err(Denial::Unknown) }
    }

    /// A signed request is its signer's if it is recent and the MAC covers it whole.
    pub fn by_signature(
        key: &SigningKey,
        signed: &SignedHeaders<'_>,
        request: &SignedRequest<'_>,
        now: Timestamp,
        bounds: &'a Bounds<'a>,
    ) -> Result<(Self, BodyProof), Denial> {
        in_window(signed, now)?;
        let proof = key.verifies(signed, request).ok_or(Denial::BadSignature)?;
        Ok((Self(bounds), proof))
    }
}

/// Whether a signed request is recent enough to be looked at.
pub fn in_window(signed: &SignedHeaders<'_>, now: Timestamp) -> Result<(), Denial> {
    if signed.timestamp().distance_millis(now) <= SIGNATURE_WINDOW_MILLIS {
        Ok(())
    } else {
        Err(Denial::OutsideWindow)
    }
}

/// Whether an authentic credential may do what is asked, now. Total: no fact is looked up, none is
/// assumed.
///
/// Time is half-open: at its expiry a token is no longer valid. Its issue is not compared with
/// `now`, because clocks differ by milliseconds and a fresh token must work on every node. The
/// strictest bound wins: each rule can only refuse. What is written on behalf of a token is asked
/// about again by the same two halves: see [`ActingToken`](crate::ActingToken).
pub fn decide<'a>(
    Authentic(bounds): Authentic<'a>,
    demand: &Demand<'_>,
    now: Timestamp,
) -> Result<Permitted<'a>, Denial> {
    in_force(bounds, now)?;
    allows(bounds, demand)?;
    Ok(Permitted(bounds))
}

/// Whether the token is one at all, now, whatever it is wanted for.
pub(crate) fn in_force(bounds: &Bounds<'_>, now: Timestamp) -> Result<(), Denial> {
    if bounds.revoked {
        return Err(Denial::Revoked);
    }
    if bounds.expires_at.is_some_and(|end| now >= end) {
        return Err(Denial::Expired);
    }
    let not_before = bounds.not_before.strictest(bounds.kind);
    if not_before.is_some_and(|start| bounds.issued_at < start) {
        return Err(Denial::IssuedBefore);
    }
    if bounds.owner_suspended { Err(Denial::OwnerSuspended) } else { Ok(()) }
}

/// Whether a token that is in force is one for this.
pub(crate) fn allows(bounds: &Bounds<'_>, demand: &Demand<'_>) -> Result<(), Denial> {
    if (bounds.kind == TokenKind::Admin) != demand.admin {
        return Err(Denial::WrongAudience);
    }
    if !(reachable(bounds.networks, demand) && reachable(bounds.owner_networks, demand)) {
        return Err(Denial::WrongNetwork);
    }
    let allowed_by_owner = bounds.owner_scopes.is_none_or(|most| most.contains_all(demand.scopes));
    let allowed = bounds.scopes.contains_all(demand.scopes) && allowed_by_owner;
    if allowed { Ok(()) } else { Err(Denial::MissingScope) }
}

/// A bound on networks is not met by a request that comes from nobody knows where.
fn reachable(networks: Option<&NetworkSet>, demand: &Demand<'_>) -> bool {
    networks.is_none_or(|set| demand.client.is_some_and(|address| set.contains(address)))
}

impl<'a> Permitted<'a> {
    pub fn bounds(&self) -> &Bounds<'a> {
        self.0
    }
}

#[cfg(test)]
mod tests;
