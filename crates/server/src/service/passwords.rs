//! Argon2id, a few at a time.
//!
//! One hash takes a core for tens of milliseconds and 19 MiB. So as many run at once as there are
//! cores, a short queue waits, and everybody beyond it is told to come back. Even so, a flood of
//! logins would have every core hash, and verification wait: threads of their own, which give way to
//! all others, do it.

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::{self, Runtime};
use tokio::sync::Semaphore;

/// Shortest new password, in characters (NIST SP 800-63B §5.1.1.2).
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Longest new password, in characters; longer input is refused before it is hashed, never cut.
pub const PASSWORD_CHARS_MAX: usize = 256;
/// What may be presented as a password, in bytes: a character has at most four of them in UTF-8.
pub const PASSWORD_BYTES_MAX: usize = 4 * PASSWORD_CHARS_MAX;

/// How far a thread that hashes gives way (`nice(2)`): to one that verifies it leaves all
/// but a thirtieth of a core. A login then takes a second instead of tens of milliseconds.
const NICENESS: i32 = 15;

/// What a caller is told to wait when the queue is full.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// OWASP's first recommendation for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

pub struct Passwords {
    argon2: Argon2<'static>,
    threads: Threads,
    at_once: Arc<Semaphore>,
    /// Running and waiting.
    admitted: AtomicUsize,
    admitted_max: usize,
    /// Verified for unknown users, so that they take the same time.
    decoy: String,
}

#[derive(Debug, thiserror::Error)]
pub enum PasswordsBusy {
    #[error("too many logins at once")]
    Full { retry_after: Duration },
    #[error("password hashing failed")]
    Failed,
}

impl Passwords {
    pub fn new(at_once: usize, queue: usize) -> Result<Self, PasswordsBusy> {
        let params =
            Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordsBusy::Failed)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = hash_now(&argon2, b"nobody has this password")?;
        let admitted_max = at_once.saturating_add(queue);
        let threads = Threads::new(at_once).map_err(|_| PasswordsBusy::Failed)?;
        let at_once = Arc::new(Semaphore::new(at_once));
        Ok(Self { argon2, threads, at_once, admitted: AtomicUsize::new(0), admitted_max, decoy })
    }

    /// A PHC string to store.
    pub async fn hash(&self, password: String) -> Result<String, PasswordsBusy> {
        let argon2 = self.argon2.clone();
        self.run(move || hash_now(&argon2, password.as_bytes())).await?
    }

    /// Whether `password` is the one that `stored` was made of. With `None` (no such user) it takes
    /// as long and says no.
    pub async fn verify(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<bool, PasswordsBusy> {
        let argon2 = self.argon2.clone();
        let exists = stored.is_some();
        let phc = stored.unwrap_or_else(|| self.decoy.clone());
        self.run(move || {
            let parsed = PasswordHash::new(&phc).map_err(|_| PasswordsBusy::Failed)?;
            let matches = argon2.verify_password(password.as_bytes(), &parsed).is_ok();
            Ok(matches && exists)
        })
        .await?
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordsBusy> {
        let _place = Place::take(&self.admitted, self.admitted_max)
            .ok_or(PasswordsBusy::Full { retry_after: RETRY_AFTER })?;
        let at_once = Arc::clone(&self.at_once);
        let permit = at_once.acquire_owned().await.map_err(|_| PasswordsBusy::Failed)?;
        // The permit goes with the work: a caller that hangs up does not free a core that is still
        // busy.
        let done = self.threads.run(move || {
            let result = work();
            drop(permit);
            result
        });
        done.await.ok_or(PasswordsBusy::Failed)
    }
}

/// Threads that give way. `None` only while they end.
struct Threads(Option<Runtime>);

impl Threads {
    fn new(most: usize) -> std::io::Result<Self> {
        let threads = runtime::Builder::new_current_thread()
            .max_blocking_threads(most.max(1))
            .thread_name("passwords")
            .on_thread_start(|| {
                // On Linux it is a thread's own.
                if let Err(error) = rustix::process::nice(NICENESS) {
                    tracing::warn!(%error, "logins may slow verification down");
                }
            })
            .build()?;
        Ok(Self(Some(threads)))
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.0.as_ref()?.spawn_blocking(work).await.ok()
    }
}

impl Drop for Threads {
    /// Waits for nobody: a runtime that is dropped within another one must not.
    fn drop(&mut self) {
        if let Some(threads) = self.0.take() {
            threads.shutdown_background();
        }
    }
}

/// A place in the queue, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(admitted: &'a AtomicUsize, max: usize) -> Option<Self> {
        let place = Self(admitted);
        if admitted.fetch_add(1, Ordering::AcqRel) < max { Some(place) } else { None }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn hash_now(argon2: &Argon2<'_>, password: &[u8]) -> Result<String, PasswordsBusy> {
    let hash = argon2.hash_password(password).map_err(|_| PasswordsBusy::Failed)?;
    Ok(hash.to_string())
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nineteenth field of each of our threads' `stat` that has this name (proc_pid_stat(5)).
    fn niceness_of_threads(name: &str) -> Vec<i32> {
        let stats = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|thread| {
            let stat = std::fs::read_to_string(thread.unwrap().path().join("stat")).ok()?;
            let (begins, rest) = stat.rsplit_once(") ")?;
            begins.ends_with(&format!("({name}")).then(|| rest.to_owned())
        });
        stats.map(|rest| rest.split(' ').nth(16).unwrap().parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn threads_that_hash_give_way_and_no_others_do() {
        let passwords = Passwords::new(2, 2).unwrap();
        let stored = passwords.hash("correct horse".into()).await.unwrap();
        assert!(passwords.verify("correct horse".into(), Some(stored)).await.unwrap());
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        let hashing = niceness_of_threads("passwords");
        assert!(!hashing.is_empty());
        // There is no more of it than 19, and somebody may run the tests with some.
        let others = rustix::process::getpriority_process(None).unwrap();
        let niceness = (others + NICENESS).min(19);
        assert!(hashing.iter().all(|found| *found == niceness), "{hashing:?}");
    }
}
