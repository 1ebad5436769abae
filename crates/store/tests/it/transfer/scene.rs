//! A store with every kind of row, and what is in one.

use crate::{
    postgres::scene as shared,
    sqlite::scene::{
        Heard, at, bearer, by, id, open, owner_id, partner, revocation, signing, user,
    },
};
use rescind_core::{
    Digest, NetworkSet, OwnerKind, RevocationReason, ScopeSet, TenantId, Timestamp, TokenKind,
};
use rescind_store::{
    Follower, Idempotency, IssuedBefore, Material, NewOwner, NewRotation, NewToken, Overlap,
    OwnerUpdate, RevocationOfAll, SetRevocation, SharedStore, Store, TokenSet,
    conformance::postgres::Database,
    postgres::{Durability, PostgresEnd, PostgresStore},
    sqlite::{SqliteEnd, SqliteStore},
    transfer::{End, Progress, TABLES, TransferError, Transferred, transfer},
};
use rusqlite::{Connection, types::Value};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Where SQLite stores are, and a database.
pub(super) struct Places {
    directory: tempfile::TempDir,
    pub(super) database: Database,
}

impl Places {
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, database: Database::create().await }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name).join("rescind.db")
    }

    /// A file with everything in it, closed.
    pub(super) async fn filled(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let store = open(&path, Arc::new(Heard::default())).unwrap();
        fill(&store).await;
        store.close().await.unwrap();
        path
    }

    pub(super) fn copy_of(&self, file: &Path) -> PathBuf {
        let path = self.path("first");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(file, &path).unwrap();
        path
    }

    pub(super) async fn end(&self) -> PostgresEnd {
        end_of(&self.database.connection()).await
    }
}

pub(super) async fn end_of(connection: &str) -> PostgresEnd {
    PostgresEnd::open(connection, None, Durability::Single).await.unwrap()
}

pub(super) async fn to_postgres(
    path: &Path,
    end: &mut PostgresEnd,
) -> Result<Option<Transferred>, TransferError> {
    moved(&mut SqliteEnd::source(path).unwrap(), end, false).await
}

pub(super) async fn to_sqlite(
    end: &mut PostgresEnd,
    path: &Path,
) -> Result<Option<Transferred>, TransferError> {
    end.hold(&[]).await.unwrap();
    moved(end, &mut SqliteEnd::destination(path).unwrap(), false).await
}

pub(super) async fn moved(
    source: &mut dyn End,
    destination: &mut dyn End,
    afresh: bool,
) -> Result<Option<Transferred>, TransferError> {
    transfer(source, destination, afresh, at(1_000), &mut |_: Progress| {}).await
}

/// Each kind of owner, of token and of end, by every mutation there is.
pub(super) async fn fill(store: &dyn Store) {
    let scopes = |names: &[&str]| Some(ScopeSet::parse(names.iter().copied()).unwrap());
    let networks = || Some(NetworkSet::parse(["192.0.2.0/24", "2001:db8::/32"]).unwrap());
    let tenant = |name| Some(TenantId::parse(name).unwrap());
    let key = |n| Some(Idempotency { key: Digest::of(&[n]), request: Digest::of(&[n, n]) });
    let root = NewOwner {
        kind: OwnerKind::Operator { name: "root".into() },
        tenant: None,
        password_hash: None,
        ..user("root")
    };
    store.create_owner(root, by(0)).await.unwrap();
    store.create_owner(user("u"), by(0)).await.unwrap();
    let abroad = NewOwner {
        tenant: tenant("abroad"),
        allowed_networks: networks(),
        idempotency: key(1),
        ..user("abroad")
    };
    store.create_owner(abroad, by(0)).await.unwrap();
    let p = NewOwner { allowed_scopes: scopes(&["trading"]), ..partner("p") };
    store.create_owner(p, by(0)).await.unwrap();
    let update = OwnerUpdate { suspended: Some(true), ..OwnerUpdate::default() };
    store.create_owner(user("suspended"), by(0)).await.unwrap();
    store.update_owner(owner_id("suspended"), update, by(1)).await.unwrap();

    let admin = NewToken {
        kind: TokenKind::Admin,
        scopes: ScopeSet::parse(["admin", "read"]).unwrap(),
        ..bearer("admin", "root")
    };
    store.issue(admin, by(1)).await.unwrap();
    let whole = NewToken {
        label: Some("Zürich 日本".into()),
        scopes: ScopeSet::parse(["a", "b"]).unwrap(),
        expires_at: Some(at(100_000)),
        allowed_networks: networks(),
        idempotency: key(2),
        ..bearer("whole", "u")
    };
    store.issue(whole, by(1)).await.unwrap();
    for (name, owner) in [("b1", "u"), ("b2", "u"), ("b3", "abroad"), ("b4", "suspended")] {
        let issued = store.issue(bearer(name, owner), by(1)).await;
        assert_eq!(issued.is_ok(), owner != "suspended");
    }
    for name in ["s1", "s2", "s3"] {
        store.issue(signing(name, "p"), by(2)).await.unwrap();
    }
    store.issue(NewToken { kind: TokenKind::ApiKey, ..bearer("k", "p") }, by(2)).await.unwrap();
    for (from, to, overlap) in [
        ("b1", "b1-next", Overlap::FromFirstUse(Duration::from_secs(60))),
        ("b2", "b2-next", Overlap::None),
    ] {
        let what = NewRotation {
            from: id(from),
            id: id(to),
            material: Material::Digest(Digest::of(to.as_bytes())),
            lifetime: None,
            overlap,
            idempotency: None,
        };
        store.rotate(what, by(3)).await.unwrap();
    }
    store.revoke(revocation("s2"), by(4)).await.unwrap();
    store.record_use(vec![(id("whole"), at(5)), (id("s1"), at(6))]).await.unwrap();
    let reason = RevocationReason::KeyCompromise;
    let all = RevocationOfAll { owner: owner_id("p"), kind: TokenKind::ApiKey, reason };
    store.revoke_all(all, by(6)).await.unwrap();
    let sets = [
        (TokenSet::Tenant(tenant("abroad").unwrap()), IssuedBefore::ThisWrite),
        (TokenSet::Owner(owner_id("u")), IssuedBefore::Moment(at(0))),
        (TokenSet::Everything, IssuedBefore::Moment(at(1))),
    ];
    for (set, issued_before) in sets {
        let what = SetRevocation { set, issued_before, reason };
        store.revoke_set(what, by(7)).await.unwrap();
    }
}

/// Every row of a file, as SQLite itself reads it.
pub(super) fn dump(path: &Path) -> Vec<(&'static str, Vec<Vec<Value>>)> {
    let sql = Connection::open(path).unwrap();
    let table = |name: &'static str| {
        let mut statement = sql.prepare(&format!("SELECT * FROM {name} ORDER BY 1")).unwrap();
        let columns = statement.column_count();
        let read = |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get(at)).collect();
        (name, statement.query_map([], read).unwrap().collect::<Result<_, _>>().unwrap())
    };
    TABLES.iter().map(|each| table(each.name)).chain([table("epoch")]).collect()
}

/// What a node holds after its start, without what tells one engine from the other.
pub(super) fn held(heard: &Heard) -> Vec<String> {
    let mut lines = heard.lines();
    lines.retain(|line| line != "cleared");
    lines.sort();
    lines
}

pub(super) async fn serve_sqlite(path: &Path) -> (SqliteStore, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let store = open(path, Arc::clone(&heard) as Arc<dyn Follower>).unwrap();
    (store, heard)
}

pub(super) async fn serve_postgres(database: &Database) -> (PostgresStore, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let store = shared::open(database, Arc::clone(&heard) as Arc<dyn Follower>).await.unwrap();
    store.load().await.unwrap();
    (store, heard)
}

/// It is a store like any other: numbers, epochs and the chain go on where they were.
pub(super) async fn goes_on(store: &dyn Store, epoch: u64) {
    assert_eq!(store.epoch().await.unwrap(), epoch);
    let head = store.audit_head().await.unwrap().unwrap().entry.seq;
    store.issue(bearer("later", "u"), by(20)).await.unwrap();
    store.revoke(revocation("later"), by(21)).await.unwrap();
    assert_eq!(store.epoch().await.unwrap(), epoch + 1);
    let filter = rescind_store::AuditFilter { limit: 10_000, ..Default::default() };
    let rows = store.audit(&filter).await.unwrap();
    let mut walk = rescind_core::audit::Walk::default();
    rows.iter().for_each(|row| walk.step(&row.entry, &row.hash).unwrap());
    assert_eq!(walk.entries(), head + 2);
    let user = store.user_by_email("u@example.com").await.unwrap().unwrap();
    assert_eq!(user.password_hash, "$argon2id$");
    let filter = rescind_store::TokenFilter { limit: 100, ..Default::default() };
    let last = store.tokens(&filter).await.unwrap().pop().unwrap();
    assert_eq!(last.record.id, id("later"));
    let _: Timestamp = last.record.issued_at;
}
