//! Secrets, by the path of a file.
//!
//! A file that somebody else can write is refused: they could plant a key. One that others can read
//! is used with a warning, not refused: container platforms mount secrets with mode 0444 into a
//! place that only one process sees, and a server that does not start there would be given
//! its secrets in the environment instead, which is worse.

use super::Faults;
use rescind_core::{BODY_CHARS, CHECK_CHARS};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Longest secret file, in bytes: a token or a key has well under a hundred.
pub const SECRET_FILE_BYTES_MAX: u64 = 4096;

/// What the text of a sealing key begins with.
const KEY_TEXT_PREFIX: &str = "rescind-key-";
/// The shortest token, in bytes: its body and check. No bare file name is that long.
const TOKEN_BYTES_MIN: usize = BODY_CHARS + CHECK_CHARS;

/// What marks a systemd credential (`LoadCredential=NAME:…`).
const CREDENTIAL: &str = "credential:";

/// The path of a file that holds a secret, or `credential:NAME` for a systemd credential.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct SecretPath(String);

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("`{CREDENTIAL}{0}` needs systemd: CREDENTIALS_DIRECTORY is not set")]
    NoCredentials(String),
    #[error("cannot read the secret file {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the secret file {} {fault}", path.display())]
    Refused { path: PathBuf, fault: SecretFault },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    #[error("is empty")]
    Empty,
    #[error("is longer than {SECRET_FILE_BYTES_MAX} bytes")]
    TooLong,
    #[error("is not text (UTF-8)")]
    NotText,
    #[error("is not a regular file")]
    NotAFile,
    #[error("can be written by other users: chmod 600 it, and make a new secret")]
    WritableByOthers,
}

impl SecretPath {
    pub fn new(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// The file meant. `credentials` is the value of `CREDENTIALS_DIRECTORY`.
    ///
    /// # Errors
    /// A credential is named where there are none.
    pub fn resolve(&self, credentials: Option<&Path>) -> Result<PathBuf, SecretError> {
        let Some(name) = self.0.strip_prefix(CREDENTIAL) else {
            return Ok(PathBuf::from(&self.0));
        };
        let directory = credentials.ok_or_else(|| SecretError::NoCredentials(name.to_owned()))?;
        Ok(directory.join(name))
    }

    /// Reads the secret, without the newline that editors and shells leave at its end.
    ///
    /// # Errors
    /// See [`SecretError`]. None of them contains the secret.
    pub fn read(&self, credentials: Option<&Path>) -> Result<Zeroizing<String>, SecretError> {
        let path = self.resolve(credentials)?;
        let file = File::open(&path);
        let bytes = file.and_then(|file| read_bounded(&file, &path));
        let text = match bytes {
            Err(source) => return Err(SecretError::Unreadable { path, source }),
            Ok(found) => found.and_then(|bytes| as_text(&bytes)),
        };
        text.map_err(|fault| SecretError::Refused { path, fault })
    }

    pub(super) fn check(&self, faults: &mut Faults, key: &str) {
        let name = self.0.strip_prefix(CREDENTIAL);
        if self.0.is_empty() {
            faults.add(key, "must not be empty");
        } else if self.is_a_secret() {
            faults.add(key, "is a secret itself: put it into a file, and name that here");
        } else if name.is_some_and(|name| matches!(name, "" | "." | "..") || name.contains('/')) {
            faults.add(key, "a credential has a plain name, as credential:admin-token");
        }
    }

    /// A key or token in the place of its file's path. Every message about a path shows it, so it
    /// must not become one.
    fn is_a_secret(&self) -> bool {
        let is_token = || self.0.len() >= TOKEN_BYTES_MIN && !self.0.contains(['/', '.', ':']);
        self.0.starts_with(KEY_TEXT_PREFIX) || is_token()
    }
}

/// The permissions are those of the open file, so it cannot be exchanged in between.
fn read_bounded(file: &File, path: &Path) -> io::Result<Result<Zeroizing<Vec<u8>>, SecretFault>> {
    let about = file.metadata()?;
    if !about.is_file() {
        return Ok(Err(SecretFault::NotAFile));
    }
    if let Err(fault) = check_mode(&about, path) {
        return Ok(Err(fault));
    }
    // One past the limit, to see that there is more; reserved at once, so that no copy is left
    // behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_FILE_BYTES_MAX as usize + 1));
    file.take(SECRET_FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    let fits = bytes.len() as u64 <= SECRET_FILE_BYTES_MAX;
    Ok(if fits { Ok(bytes) } else { Err(SecretFault::TooLong) })
}

fn as_text(bytes: &[u8]) -> Result<Zeroizing<String>, SecretFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| SecretFault::NotText)?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() { Err(SecretFault::Empty) } else { Ok(Zeroizing::new(line.to_owned())) }
}

#[cfg(unix)]
fn check_mode(about: &std::fs::Metadata, path: &Path) -> Result<(), SecretFault> {
    use std::os::unix::fs::MetadataExt;
    let mode = about.mode();
    if mode & 0o022 != 0 {
        return Err(SecretFault::WritableByOthers);
    }
    if mode & 0o044 != 0 {
        let (path, mode) = (path.display(), format!("{:o}", mode & 0o777));
        tracing::warn!(%path, mode, "a secret file is readable by others");
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &std::fs::Metadata, _: &Path) -> Result<(), SecretFault> {
    Ok(())
}
