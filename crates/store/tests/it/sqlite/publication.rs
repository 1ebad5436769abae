//! The follower is told of what is committed, and of nothing else.

use super::scene::{bearer, by, open, revocation, user};
use rescind_core::{RevocationReason, TenantId};
use rescind_store::{Change, Epoch, Follower, IssuedBefore, SetRevocation, TokenSet, WriteStore};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Looks into the database with a connection of its own each time that it is told of something.
struct Looks {
    path: PathBuf,
    changes: AtomicU64,
}

impl Looks {
    fn one(&self, query: &str, id: &str) -> Option<i64> {
        let read_only = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let sql = Connection::open_with_flags(&self.path, read_only).unwrap();
        sql.query_row(query, [id], |row| row.get(0)).optional().unwrap()
    }
}

impl Follower for Looks {
    fn apply(&self, change: Change) {
        let committed = match &change {
            Change::Owner(owner) => {
                self.one("SELECT 1 FROM owners WHERE id = ?1", owner.id.as_str())
            }
            Change::Issued { record, .. } | Change::Updated { record, .. } => {
                self.one("SELECT 1 FROM tokens WHERE id = ?1", record.id.as_str())
            }
            Change::Revoked { id, .. } => {
                let query = "SELECT 1 FROM tokens WHERE id = ?1 AND revoked_at IS NOT NULL";
                self.one(query, id.as_str())
            }
            Change::NotBefore { tenant, .. } => {
                let tenant = tenant.as_ref().map_or("", TenantId::as_str);
                self.one("SELECT 1 FROM bounds WHERE tenant = ?1", tenant)
            }
        };
        assert!(committed.is_some(), "told too early of {change:?}");
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    fn reached(&self, epoch: Epoch) {
        let committed = self.one("SELECT n FROM epoch WHERE ?1 = ''", "");
        assert_eq!(committed, Some(epoch.cast_signed()));
    }

    fn clear(&self) {}

    fn seal(&self) {}
}

#[tokio::test]
async fn follower_is_told_after_the_commit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rescind.db");
    let looks = Arc::new(Looks { path: path.clone(), changes: AtomicU64::new(0) });
    let store = open(&path, looks.clone()).unwrap();
    // A panic in the follower would fail these.
    store.create_owner(user("u"), by(0)).await.unwrap();
    store.issue(bearer("b", "u"), by(1)).await.unwrap();
    store.revoke(revocation("b"), by(2)).await.unwrap();
    let what = SetRevocation {
        set: TokenSet::Everything,
        issued_before: IssuedBefore::ThisWrite,
        reason: RevocationReason::KeyCompromise,
    };
    store.revoke_set(what, by(3)).await.unwrap();
    assert_eq!(looks.changes.load(Ordering::Relaxed), 4);
}
