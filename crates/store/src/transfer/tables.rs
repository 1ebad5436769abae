//! What a store consists of, as both engines have it.
//!
//! Rows go over as they are, column by column: sealed secrets stay sealed, and nothing is parsed that
//! a newer version might write otherwise. Left out is what belongs to one place: the row of `epoch`
//! (the right to serve, which moves last), the members of a cluster, and `changed_at`, by which nodes
//! follow the log: after a move each of them loads everything.

use std::fmt;

/// One table, and its columns. The first is the key, by which rows are read in order.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [&'static str],
}

/// A column's content, in the widest type that an engine has for it.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    /// Truth too, as 0 and 1.
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

pub type Row = Vec<Value>;

/// In an order in which no row points at one that is not there yet.
pub const TABLES: [Table; 6] = [
    Table {
        name: "owners",
        columns: &[
            "seq",
            "id",
            "kind",
            "email",
            "first_name",
            "last_name",
            "tenant",
            "password_hash",
            "profile_id",
            "account",
            "issuer",
            "subject",
            "name",
            "suspended_at",
            "suspended_by",
            "not_before",
            "token_management",
            "allowed_scopes",
            "allowed_networks",
            "created_at",
        ],
    },
    Table { name: "bounds", columns: &["tenant", "not_before"] },
    Table {
        name: "tokens",
        columns: &[
            "seq",
            "id",
            "owner",
            "kind",
            "digest",
            "sealed_secret",
            "label",
            "scopes",
            "issued_at",
            "expires_at",
            "allowed_networks",
            "rotated_from",
            "overlap_from_first_use",
            "revoked_at",
            "revoked_by",
            "revocation_reason",
            "last_used_at",
        ],
    },
    Table { name: "revocation_log", columns: &["seq", "what", "subject", "reason", "at"] },
    Table { name: "idempotency", columns: &["key", "request", "made", "at"] },
    Table { name: AUDIT, columns: &["seq", "at", "actor", "action", "subject", "detail", "hash"] },
];

/// Whose rows are a chain.
pub(crate) const AUDIT: &str = "audit";

impl Table {
    pub(crate) fn key(&self) -> &'static str {
        self.columns.first().copied().unwrap_or_default()
    }
}

/// It may be a password's hash or a sealed secret.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value")
    }
}
