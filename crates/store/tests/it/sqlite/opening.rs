//! From a file to a store: what comes back, and what is refused, each with its own words.

use super::scene::{
    Heard, at, bearer, by, id, key, open, open_with, owner_id, partner, revocation, signing, user,
};
use rescind_core::audit::{ChainFault, Walk};
use rescind_store::{
    AuditFilter, KeyRing, OwnerUpdate, ReadStore, TokenFilter, WriteStore,
    sqlite::{OpenError, SqliteStore},
};
use rusqlite::Connection;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// SQLite's default.
const PAGE_BYTES: usize = 4096;

struct Place {
    path: PathBuf,
    _directory: tempfile::TempDir,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    Place { path: directory.path().join("data/rescind.db"), _directory: directory }
}

fn refused(path: &Path) -> OpenError {
    open(path, Arc::new(Heard::default())).unwrap_err()
}

/// A closed database with a user, a partner and three tokens, one of them revoked.
async fn filled(path: &Path) {
    let store = open(path, Arc::new(Heard::default())).unwrap();
    store.create_owner(user("u"), by(0)).await.unwrap();
    store.create_owner(partner("p"), by(0)).await.unwrap();
    store.issue(bearer("b", "u"), by(1)).await.unwrap();
    store.issue(signing("s", "p"), by(1)).await.unwrap();
    store.issue(bearer("gone", "u"), by(1)).await.unwrap();
    store.record_use(vec![(id("b"), at(9))]).await.unwrap();
    store.revoke(revocation("gone"), by(2)).await.unwrap();
    let suspend = OwnerUpdate { suspended: Some(true), ..OwnerUpdate::default() };
    store.update_owner(owner_id("u"), suspend, by(3)).await.unwrap();
    store.close().await.unwrap();
}

async fn everything(store: &SqliteStore) -> String {
    let all = TokenFilter { limit: u32::MAX, ..TokenFilter::default() };
    let tokens = store.tokens(&all).await.unwrap();
    let audit =
        store.audit(&AuditFilter { limit: u32::MAX, ..AuditFilter::default() }).await.unwrap();
    let user = store.user_by_email("u@example.com").await.unwrap();
    let partner = store.owner(&owner_id("p")).await.unwrap();
    format!("{tokens:?} {audit:?} {user:?} {partner:?} {}", store.epoch().await.unwrap())
}

#[tokio::test]
async fn reopened_store_has_everything_and_loads_the_follower() {
    let place = place();
    filled(&place.path).await;
    let heard = Arc::new(Heard::default());
    let store = open(&place.path, heard.clone()).unwrap();
    assert_eq!(heard.lines(), ["owner u", "owner p", "issued b", "issued s secret-s", "reached 2"]);
    let before = everything(&store).await;
    assert!(before.contains("TokenId(gone)"), "{before}");
    store.issue(signing("s2", "p"), by(5)).await.unwrap();
    store.revoke(revocation("s2"), by(5)).await.unwrap();
    assert_eq!(heard.lines()[5..], ["issued s2 secret-s2", "revoked s2", "reached 3"]);
    let after = everything(&store).await;
    store.close().await.unwrap();
    let again = open(&place.path, Arc::new(Heard::default())).unwrap();
    assert_eq!(everything(&again).await, after);
    assert_ne!(before, after);
}

/// The log is not emptied: what was answered is there all the same.
#[tokio::test]
async fn copy_of_a_running_store_with_its_log_has_every_answered_write() {
    let (place, copy) = (place(), place());
    let store = open(&place.path, Arc::new(Heard::default())).unwrap();
    store.create_owner(user("u"), by(0)).await.unwrap();
    store.issue(bearer("b", "u"), by(1)).await.unwrap();
    fs::create_dir(copy.path.parent().unwrap()).unwrap();
    for suffix in ["", "-wal"] {
        let name = |path: &Path| format!("{}{suffix}", path.display());
        fs::copy(name(&place.path), name(&copy.path)).unwrap();
    }
    let copied = open(&copy.path, Arc::new(Heard::default())).unwrap();
    assert_eq!(everything(&copied).await, everything(&store).await);
    // And is in the file, synced, before anything is written after it.
    let log = format!("{}-wal", copy.path.display());
    assert_eq!(fs::metadata(log).unwrap().len(), 0);
}

#[tokio::test]
async fn second_open_is_refused_until_the_first_is_closed() {
    let place = place();
    let first = open(&place.path, Arc::new(Heard::default())).unwrap();
    assert!(matches!(refused(&place.path), OpenError::Locked { .. }));
    first.close().await.unwrap();
    open(&place.path, Arc::new(Heard::default())).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let place = place();
    let store = open(&place.path, Arc::new(Heard::default())).unwrap();
    store.create_owner(user("u"), by(0)).await.unwrap();
    let directory = place.path.parent().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory), 0o700);
    let files: Vec<_> = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{file:?}");
    }
}

#[tokio::test]
async fn missing_key_is_named_and_an_added_one_opens() {
    let place = place();
    filled(&place.path).await;
    let used = KeyRing::parse([key(1).as_str()]).unwrap().ids().next().unwrap();
    let error = open_with(&place.path, Arc::new(Heard::default()), &[2]).unwrap_err();
    assert!(matches!(&error, OpenError::KeyMissing { key, .. } if *key == used), "{error:?}");
    assert!(error.to_string().contains(&used.to_string()), "{error}");
    open_with(&place.path, Arc::new(Heard::default()), &[2, 1]).unwrap();
}

#[tokio::test]
async fn secret_moved_to_another_token_is_refused() {
    let place = place();
    filled(&place.path).await;
    let store = open(&place.path, Arc::new(Heard::default())).unwrap();
    store.issue(signing("victim", "p"), by(4)).await.unwrap();
    store.close().await.unwrap();
    alter(
        &place.path,
        "UPDATE tokens SET sealed_secret = (SELECT sealed_secret FROM tokens WHERE id = 's')
         WHERE id = 'victim'",
    );
    let error = refused(&place.path);
    assert!(
        matches!(&error, OpenError::Secret { token, .. } if token.as_str() == "victim"),
        "{error:?}"
    );
}

#[tokio::test]
async fn altered_and_deleted_audit_entries_are_found() {
    let place = place();
    filled(&place.path).await;
    alter(&place.path, "UPDATE audit SET detail = replace(detail, 'unspecified', 'superseded')");
    assert_eq!(walk(&place.path).await, Err(ChainFault::Changed { seq: 6 }));
    alter(&place.path, "DELETE FROM audit WHERE seq = 2");
    assert_eq!(walk(&place.path).await, Err(ChainFault::Gap { expected: 2, found: 3 }));
}

async fn walk(path: &Path) -> Result<(), ChainFault> {
    let store = open(path, Arc::new(Heard::default())).unwrap();
    let rows =
        store.audit(&AuditFilter { limit: u32::MAX, ..AuditFilter::default() }).await.unwrap();
    store.close().await.unwrap();
    let mut walk = Walk::default();
    rows.iter().try_for_each(|row| walk.step(&row.entry, &row.hash))
}

#[tokio::test]
async fn value_that_cannot_be_read_is_refused_and_not_guessed() {
    for damage in [
        "UPDATE tokens SET scopes = 'a  b'",
        "UPDATE tokens SET id = 'white space' WHERE id = 'b'",
        "UPDATE owners SET tenant = '' WHERE tenant IS NOT NULL",
    ] {
        let place = place();
        filled(&place.path).await;
        alter(&place.path, damage);
        let error = refused(&place.path);
        assert!(matches!(error, OpenError::Corrupt { .. }), "{damage}: {error:?}");
    }
}

#[test]
fn file_that_is_no_database_is_refused_and_left_alone() {
    let place = place();
    fs::create_dir(place.path.parent().unwrap()).unwrap();
    let text = "not a database, but long enough to be looked at\n".repeat(100);
    fs::write(&place.path, &text).unwrap();
    assert!(matches!(refused(&place.path), OpenError::NotADatabase { .. }));
    assert_eq!(fs::read_to_string(&place.path).unwrap(), text);
}

#[test]
fn database_of_another_program_is_refused_and_left_alone() {
    let place = place();
    fs::create_dir(place.path.parent().unwrap()).unwrap();
    alter(&place.path, "CREATE TABLE owners (id); INSERT INTO owners VALUES ('theirs')");
    let before = fs::read(&place.path).unwrap();
    assert!(matches!(refused(&place.path), OpenError::Foreign { .. }));
    assert_eq!(fs::read(&place.path).unwrap(), before);
}

/// Also where the start itself does not read: a later write would build on it.
#[tokio::test]
async fn damaged_database_is_refused() {
    for table in ["owners", "tokens", "audit", "revocation_log"] {
        let place = place();
        filled(&place.path).await;
        let sql = Connection::open(&place.path).unwrap();
        let root: usize = sql
            .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [table], |row| {
                row.get::<_, u32>(0).map(|page| page as usize)
            })
            .unwrap();
        sql.close().unwrap();
        let mut bytes = fs::read(&place.path).unwrap();
        bytes[(root - 1) * PAGE_BYTES..root * PAGE_BYTES].fill(0x5a);
        fs::write(&place.path, &bytes).unwrap();
        let error = refused(&place.path);
        assert!(matches!(error, OpenError::Corrupt { .. }), "{table}: {error:?}");
    }
}

#[tokio::test]
async fn schema_of_the_future_is_refused_and_left_alone() {
    let place = place();
    filled(&place.path).await;
    alter(
        &place.path,
        "INSERT INTO refinery_schema_history
         VALUES (4, 'future', '2030-01-01T00:00:00Z', '1')",
    );
    let before = fs::read(&place.path).unwrap();
    let error = refused(&place.path);
    assert!(matches!(error, OpenError::NewerSchema { found: 4, known: 3, .. }), "{error:?}");
    assert_eq!(fs::read(&place.path).unwrap(), before);
}

/// As a first start leaves it that was cut off between making the file and the first migration.
#[test]
fn start_that_was_cut_off_is_taken_up() {
    for left in [
        "",
        "CREATE TABLE refinery_schema_history (version INTEGER PRIMARY KEY,
         name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255))",
    ] {
        let place = place();
        fs::create_dir(place.path.parent().unwrap()).unwrap();
        fs::write(&place.path, "").unwrap();
        alter(&place.path, left);
        open(&place.path, Arc::new(Heard::default())).unwrap();
    }
}

#[test]
fn path_that_cannot_be_a_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let error = refused(directory.path());
    assert!(matches!(error, OpenError::Permission { .. } | OpenError::Other { .. }), "{error:?}");
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(refused(&file.join("rescind.db")), OpenError::Other { .. }));
}

/// With another tool, as an attacker or an accident would.
fn alter(path: &Path, statement: &str) {
    let sql = Connection::open(path).unwrap();
    sql.execute_batch(statement).unwrap();
    sql.close().unwrap();
}
