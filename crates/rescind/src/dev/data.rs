//! The directory of `rescind dev`: a database and the secrets made for it, kept between runs.

use crate::failure::Failure;
use crate::private_file;
use rand::{RngExt, distr::Alphanumeric};
use rescind_core::{Plain, TokenPrefix};
use rescind_store::KeyRing;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Letters and digits in the demo user's password: 119 bits.
const PASSWORD_CHARS: usize = 20;

const SEALING_KEY: &str = "sealing.key";
const ADMIN_TOKEN: &str = "admin.token";
const PASSWORD: &str = "demo.password";
const JWKS: &str = "jwks.json";
const LOCK: &str = "rescind.db.lock";

/// Everything that `--fresh` takes away: these names only, whatever else lies there. The lock
/// stays.
const OURS: [&str; 8] = [
    "rescind.db",
    "rescind.db-wal",
    "rescind.db-shm",
    "issuer.pem",
    SEALING_KEY,
    ADMIN_TOKEN,
    PASSWORD,
    JWKS,
];

/// What helps where the directory holds something that cannot be mended.
pub(crate) const BEGIN_ANEW: &str = "`rescind dev --fresh` begins anew, without what was there";

#[derive(Debug)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    pub(crate) fn prepare(path: PathBuf, fresh: bool) -> Result<Self, Failure> {
        let dir = Self(path);
        if fresh && dir.0.exists() {
            dir.clear()?;
        }
        Ok(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The file of the key that seals signing secrets.
    pub(crate) fn sealing_key(&self) -> Result<PathBuf, Failure> {
        self.secret(SEALING_KEY, || KeyRing::generate_text(&mut rand::rng()).to_string())?;
        Ok(self.0.join(SEALING_KEY))
    }

    /// The operator's token, and the file that it stands in.
    pub(crate) fn admin_token(&self, prefix: &TokenPrefix) -> Result<(PathBuf, String), Failure> {
        let make = || Plain::random(prefix, &mut rand::rng()).expose().to_owned();
        let text = self.secret(ADMIN_TOKEN, make)?;
        Ok((self.0.join(ADMIN_TOKEN), text))
    }

    /// The demo user's password. For one who is there already a new one would be wrong.
    pub(crate) fn demo_password(&self, user_exists: bool) -> Result<String, Failure> {
        if user_exists {
            return self.kept(PASSWORD).map_err(|error| fault(&self.0.join(PASSWORD), &error));
        }
        self.secret(PASSWORD, || {
            rand::rng().sample_iter(Alphanumeric).take(PASSWORD_CHARS).map(char::from).collect()
        })
    }

    /// Publishes the issuer's keys where the server reads them.
    pub(crate) fn publish_keys(&self, jwks: &str) -> Result<PathBuf, Failure> {
        let path = self.0.join(JWKS);
        private_file::write(&path, jwks.as_bytes()).map_err(|error| fault(&path, &error))?;
        Ok(path)
    }

    /// The secret that the file holds, made on the first run.
    fn secret(&self, name: &str, make: impl FnOnce() -> String) -> Result<String, Failure> {
        match self.kept(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (path, text) = (self.0.join(name), make());
                let written = private_file::create(&path, text.as_bytes());
                written.map(|()| text).map_err(|error| fault(&path, &error))
            }
            kept => kept.map_err(|error| fault(&self.0.join(name), &error)),
        }
    }

    fn kept(&self, name: &str) -> io::Result<String> {
        let text = private_file::read(&self.0.join(name))?;
        match text.trim() {
            "" => Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty")),
            text => Ok(text.to_owned()),
        }
    }

    /// Not under a server that is running: it would go on with a file that nobody else sees.
    fn clear(&self) -> Result<(), Failure> {
        let path = self.0.join(LOCK);
        let lock = match File::options().write(true).open(&path) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(fault(&path, &error)),
        };
        if lock.as_ref().is_some_and(|lock| lock.try_lock().is_err()) {
            let message = format!("{} is in use by another server", self.0.display());
            let next = "stop that server first, or give this one another --data DIR";
            return Err(Failure::unreachable(message).next(next));
        }
        for name in OURS {
            let path = self.0.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(fault(&path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What is wrong with a file of the directory, and what to do.
pub(crate) fn fault(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::unreachable(format!("cannot use {}: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::StorageFull => failure.next("free some space, then start again"),
        io::ErrorKind::NotFound | io::ErrorKind::InvalidData => failure.next(BEGIN_ANEW),
        _ => failure.next("give a directory that is yours with --data DIR"),
    }
}
