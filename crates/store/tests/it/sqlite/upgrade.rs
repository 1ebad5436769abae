//! A database that an earlier version has left, row by row.

use super::scene::{Heard, at, bearer, by, id, open, owner_id, partner, signing};
use refinery::{Migration, Runner};
use rescind_core::{
    Actor, Capabilities, Owner, OwnerKind, OwnerState, RevocationReason, ScopeSet, TenantId,
    TokenKind, TokenRecord, TokenState,
    audit::{Entry, GENESIS, link},
};
use rescind_store::{
    AuditFilter, IssuedBefore, ReadStore, SetRevocation, StoredToken, TokenFilter, TokenSet,
    WriteStore, sqlite::SqliteStore,
};
use rusqlite::{Connection, params};
use std::{path::Path, sync::Arc};

const V1: &str = include_str!("../../../src/sqlite/migrations/V1__records.sql");

/// Every column that a kind of row can have, once with a value. Times count from `at(0)`.
const ROWS: &str = "
    INSERT INTO owners (id, kind, email, first_name, last_name, tenant, password_hash,
        not_before, token_management, created_at)
    VALUES ('u', 'user', 'u@example.com', 'F', 'L', 't', '$argon2id$', 1790000005000, 0,
        1790000000000);
    INSERT INTO owners (id, kind, profile_id, account, issuer, subject, suspended_at, suspended_by,
        token_management, allowed_scopes, created_at)
    VALUES ('p', 'partner', 1001, '0xp', 'issuer', 'did:p', 1790000007000, 'system:test', 1,
        'account_creation trading', 1790000000000);
    INSERT INTO owners (id, kind, name, token_management, created_at)
    VALUES ('o', 'operator', 'root', 0, 1790000000000);
    INSERT INTO tokens (id, owner, kind, digest, label, scopes, issued_at, expires_at, last_used_at)
    VALUES ('b', 'u', 'bearer', randomblob(32), 'laptop', 'a b', 1790000006000, 1790000100000, 1790000009000);
    INSERT INTO tokens (id, owner, kind, sealed_secret, scopes, issued_at)
    VALUES ('s', 'p', 'signing', x'00', 'trading', 1790000001000);
    INSERT INTO tokens (id, owner, kind, digest, scopes, issued_at, revoked_at, revoked_by,
        revocation_reason)
    VALUES ('gone', 'u', 'bearer', randomblob(32), '', 1790000001000, 1790000002000, 'token:a', 'superseded');
    INSERT INTO tokens (id, owner, kind, digest, scopes, issued_at)
    VALUES ('a', 'o', 'admin', randomblob(32), 'admin', 1790000001000);
    INSERT INTO revocation_log VALUES (1, 'token', 'gone', 'superseded', 1790000002000);
    INSERT INTO revocation_log VALUES (2, 'owner', 'p', 'suspended', 1790000007000);
    UPDATE epoch SET n = 2";

fn left_by_version_one(path: &Path, sealed: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut sql = Connection::open(path).unwrap();
    let migration = Migration::unapplied("V1__records", V1).unwrap();
    Runner::new(&[migration]).set_grouped(true).run(&mut sql).unwrap();
    sql.execute_batch(ROWS).unwrap();
    for name in ["b", "gone", "a"] {
        let digest = *rescind_core::Digest::of(name.as_bytes()).as_bytes();
        sql.execute("UPDATE tokens SET digest = ?2 WHERE id = ?1", params![name, digest]).unwrap();
    }
    sql.execute("UPDATE tokens SET sealed_secret = ?1 WHERE id = 's'", [sealed]).unwrap();
    let mut head = GENESIS;
    for entry in trail() {
        head = link(&head, &entry);
        let Entry { seq, at, actor, action, subject, detail } = entry;
        sql.execute(
            "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![seq, at.as_millis(), actor.as_str(), action, subject, detail, head.as_bytes()],
        )
        .unwrap();
    }
    sql.close().unwrap();
}

fn trail() -> Vec<Entry> {
    let entry = |(seq, action, subject): (u64, &str, &str)| Entry {
        seq,
        at: at(seq.cast_signed()),
        actor: Actor::system("test"),
        action: action.into(),
        subject: subject.into(),
        detail: "{}".into(),
    };
    let done = [(1, "owner.created", "u"), (2, "token.revoked", "gone"), (3, "token.issued", "a")];
    done.map(entry).into()
}

/// As this version seals it, for this token and key.
async fn sealed(directory: &Path) -> Vec<u8> {
    let path = directory.join("other.db");
    let store = open(&path, Arc::new(Heard::default())).unwrap();
    store.create_owner(partner("p"), by(0)).await.unwrap();
    store.issue(signing("s", "p"), by(0)).await.unwrap();
    store.close().await.unwrap();
    let sql = Connection::open(&path).unwrap();
    sql.query_row("SELECT sealed_secret FROM tokens", [], |row| row.get(0)).unwrap()
}

fn scopes(names: &[&str]) -> ScopeSet {
    ScopeSet::parse(names.iter().copied()).unwrap()
}

fn owners() -> [Owner; 3] {
    let operator = Owner {
        id: owner_id("o"),
        kind: OwnerKind::Operator { name: "root".into() },
        tenant: None,
        state: OwnerState::Active,
        not_before: None,
        capabilities: Capabilities {
            token_management: false,
            allowed_scopes: None,
            allowed_networks: None,
        },
        created_at: at(0),
    };
    let user = Owner {
        id: owner_id("u"),
        kind: OwnerKind::User {
            email: "u@example.com".into(),
            first_name: "F".into(),
            last_name: "L".into(),
        },
        tenant: Some(TenantId::parse("t").unwrap()),
        not_before: Some(at(5)),
        ..operator.clone()
    };
    let partner = Owner {
        id: owner_id("p"),
        kind: OwnerKind::Partner {
            profile_id: 1001,
            account: "0xp".into(),
            issuer: "issuer".into(),
            subject: "did:p".into(),
        },
        state: OwnerState::Suspended { at: at(7), by: Actor::system("test") },
        capabilities: Capabilities {
            token_management: true,
            allowed_scopes: Some(scopes(&["account_creation", "trading"])),
            allowed_networks: None,
        },
        ..operator.clone()
    };
    [user, partner, operator]
}

fn tokens() -> [StoredToken; 4] {
    let record = |name: &str, owner: &str, kind, names: &[&str]| TokenRecord {
        id: id(name),
        owner: owner_id(owner),
        kind,
        label: None,
        scopes: scopes(names),
        issued_at: at(1),
        expires_at: None,
        allowed_networks: None,
        rotation: None,
        state: TokenState::Active,
    };
    let stored = |record| StoredToken {
        record,
        last_used_at: None,
        tenant: None,
        not_before: None,
        superseded_by: None,
    };
    let tenant = Some(TenantId::parse("t").unwrap());
    let bearer = TokenRecord {
        label: Some("laptop".into()),
        issued_at: at(6),
        expires_at: Some(at(100)),
        ..record("b", "u", TokenKind::Bearer, &["a", "b"])
    };
    let (by, reason) = (Actor::token(&id("a")), RevocationReason::Superseded);
    let state = TokenState::Revoked { at: at(2), by, reason };
    let gone = TokenRecord { state, ..record("gone", "u", TokenKind::Bearer, &[]) };
    let of_user =
        |record| StoredToken { tenant: tenant.clone(), not_before: Some(at(5)), ..stored(record) };
    [
        StoredToken { last_used_at: Some(at(9)), ..of_user(bearer) },
        stored(record("s", "p", TokenKind::Signing, &["trading"])),
        of_user(gone),
        stored(record("a", "o", TokenKind::Admin, &["admin"])),
    ]
}

#[tokio::test]
async fn database_of_version_one_is_found_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data/rescind.db");
    left_by_version_one(&path, &sealed(directory.path()).await);
    let heard = Arc::new(Heard::default());
    let store = open(&path, heard.clone()).unwrap();
    let told = "owner u,owner p,owner o,issued b,issued s secret-s,issued a,reached 2";
    assert_eq!(heard.lines().join(","), told);
    kept(&store).await;
    // And goes on from there.
    store.issue(bearer("new", "u"), by(10)).await.unwrap();
    let what = SetRevocation {
        set: TokenSet::Tenant(TenantId::parse("t").unwrap()),
        issued_before: IssuedBefore::ThisWrite,
        reason: RevocationReason::KeyCompromise,
    };
    assert_eq!(store.revoke_set(what, by(11)).await.unwrap().settled.epoch, 3);
    assert!(store.token(&id("b")).await.unwrap().unwrap().is_taken_back());
    store.close().await.unwrap();

    let sql = Connection::open(&path).unwrap();
    let log: String = sql
        .query_row(
            "SELECT group_concat(seq || what || subject || reason || at, ' ') FROM revocation_log",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(
        log,
        "1tokengonesuperseded1790000002000 2ownerpsuspended1790000007000 \
         3tenanttkey_compromise1790000011000"
    );
}

async fn kept(store: &SqliteStore) {
    for owner in owners() {
        assert_eq!(store.owner(&owner.id).await.unwrap(), Some(owner));
    }
    let user = store.user_by_email("u@example.com").await.unwrap().unwrap();
    assert_eq!(user.password_hash, "$argon2id$");
    let all = TokenFilter { limit: u32::MAX, ..TokenFilter::default() };
    assert_eq!(store.tokens(&all).await.unwrap(), tokens());
    let digest = rescind_core::Digest::of(b"b");
    let found = store.token_by_digest(&digest).await.unwrap().unwrap();
    assert_eq!(found.record.id, id("b"));
    let all = AuditFilter { limit: u32::MAX, ..AuditFilter::default() };
    let mut head = GENESIS;
    let rows = store.audit(&all).await.unwrap();
    for (row, entry) in rows.iter().zip(trail()) {
        head = link(&head, &entry);
        assert_eq!((&row.entry, row.hash), (&entry, head));
    }
    assert_eq!(rows.len(), trail().len());
    assert_eq!(store.epoch().await.unwrap(), 2);
}
