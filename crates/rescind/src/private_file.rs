//! Files that only their owner can read, written whole or not at all.
//!
//! Writing in place would leave half a key after a crash, and setting the mode afterwards leaves a
//! moment in which anybody can open it: so a temporary file (mode 0600 from its creation) is
//! renamed.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::Path,
};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// Longest file that is read, in bytes; ours have a few hundred.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Creates or replaces the file.
pub(crate) fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    prepare(path, contents)?.persist(path).map_err(|fault| fault.error).map(drop)
}

/// Creates the file; fails with `AlreadyExists` if somebody was faster.
pub(crate) fn create(path: &Path, contents: &[u8]) -> io::Result<()> {
    prepare(path, contents)?.persist_noclobber(path).map_err(|fault| fault.error).map(drop)
}

/// A new file that is written piece by piece, and is not there before it is whole.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    file: BufWriter<NamedTempFile>,
    path: &'a Path,
}

impl<'a> Draft<'a> {
    /// Fails with `AlreadyExists` if there is such a file.
    pub(crate) fn new(path: &'a Path) -> io::Result<Self> {
        if path.try_exists()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(Self { file: BufWriter::new(prepare(path, b"")?), path })
    }

    pub(crate) fn keep(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(self.path).map_err(|fault| fault.error).map(drop)
    }
}

impl Write for Draft<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Creates the file empty, unless it is there.
pub(crate) fn touch(path: &Path) -> io::Result<()> {
    match create(path, b"") {
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

/// Reads the file, unless others can read it too: then its secret may be known already.
pub(crate) fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let file = File::open(path)?;
    check_mode(&file)?;
    let mut text = Zeroizing::new(String::new());
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is too long"));
    }
    Ok(text)
}

fn prepare(path: &Path, contents: &[u8]) -> io::Result<NamedTempFile> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or_else(|| Path::new("."));
    create_directory(directory)?;
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(unix)]
fn create_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(unix)]
fn check_mode(file: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let mode = file.metadata()?.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let message = format!("other users can open it (mode {mode:o}, chmod 600 makes it private)");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

#[cfg(not(unix))]
fn check_mode(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_private_in_private_directories() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/secret");
        write(&path, b"one").unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        write(&path, b"two").unwrap();
        assert_eq!((read(&path).unwrap().as_str(), mode(&path)), ("two", 0o600));
    }

    #[test]
    fn created_files_are_never_replaced() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("secret");
        create(&path, b"one").unwrap();
        assert_eq!(create(&path, b"two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&path).unwrap().as_str(), "one");
    }

    #[test]
    fn a_file_that_others_can_open_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("secret");
        write(&path, b"one").unwrap();
        for open in [0o640, 0o604, 0o610] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
            assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
    }

    #[test]
    fn an_overlong_file_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("secret");
        let most = usize::try_from(FILE_BYTES_MAX).unwrap();
        write(&path, &vec![b'a'; most]).unwrap();
        read(&path).unwrap();
        write(&path, &vec![b'a'; most + 1]).unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
