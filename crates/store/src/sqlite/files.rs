//! The directory, the file and the lock beside it, before SQLite sees any of them.

use super::error::OpenError;
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// The lock, held as long as it lives, and the size of the database if there was one.
pub(super) fn prepare(path: &Path) -> Result<(File, Option<u64>), OpenError> {
    let directory = directory_of(path);
    make_directory(directory).map_err(|error| OpenError::io(directory, error))?;
    let lock = lock(path)?;
    let existing = create(path, directory).map_err(|error| OpenError::io(path, error))?;
    Ok((lock, existing))
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// One process owns the database: the truth in its memory would not learn of another's commits. The
/// kernel gives the lock back however the process ends. The file itself stays: removing it would
/// let two processes hold locks on two files of one name.
fn lock(path: &Path) -> Result<File, OpenError> {
    let lock_path = with_suffix(path, ".lock");
    let file = private().write(true).create(true).truncate(false).open(&lock_path);
    let file = file.map_err(|error| OpenError::io(&lock_path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.into() }),
        Err(TryLockError::Error(error)) => Err(OpenError::io(&lock_path, error)),
    }
}

/// Makes the file so that nobody else can read it; SQLite gives its log the same mode.
fn create(path: &Path, directory: &Path) -> io::Result<Option<u64>> {
    match private().write(true).create_new(true).open(path) {
        Ok(file) => {
            file.sync_all()?;
            sync_directory(directory)?;
            Ok(None)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::metadata(path)?;
            warn_if_readable(path, &found);
            Ok((found.len() > 0).then_some(found.len()))
        }
        Err(error) => Err(error),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(unix)]
fn make_directory(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn make_directory(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

#[cfg(unix)]
fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
fn private() -> OpenOptions {
    OpenOptions::new()
}

/// A new file's name is durable only once its directory is.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn warn_if_readable(path: &Path, found: &fs::Metadata) {
    use std::os::unix::fs::PermissionsExt;
    let mode = found.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = %format_args!("{:o}", mode & 0o777),
            "other users may read the database; its mode should be 600");
    }
}

#[cfg(not(unix))]
fn warn_if_readable(_: &Path, _: &fs::Metadata) {}
