//! Who may read what the store writes: nobody but the server's user (H71).

use crate::open::OpenError;
use std::{
    fs, io, os::unix::fs::DirBuilderExt as _, os::unix::fs::OpenOptionsExt as _, os::unix::fs::PermissionsExt as _, path::Path,
};

/// Any access of those who are neither owner nor group.
const OTHERS: u32 = 0o007;

/// Makes the directory for the server alone. One that exists is left as it is: it may be a mount point; what is in it is
/// private by itself. Only one in which everybody may write is refused, since everybody could replace the files there.
pub(crate) fn private_directory(path: &Path) -> Result<(), OpenError> {
    let fault = |source| OpenError::Directory { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o002 != 0 => Err(OpenError::WritableByOthers(path.to_owned())),
        Ok(found) => {
            if found.permissions().mode() & OTHERS != 0 {
                tracing::warn!(path = %path.display(), "others may look into a directory of the store: chmod 0700 is better");
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fault)
        }
        Err(error) => Err(fault(error)),
    }
}

/// Refuses a file that others may read or write; one that is not there is fine.
pub(crate) fn refuse_if_open(path: &Path) -> Result<(), OpenError> {
    match fs::metadata(path) {
        Ok(found) if found.permissions().mode() & OTHERS != 0 => Err(OpenError::OpenToOthers(path.to_owned())),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(OpenError::Directory { path: path.to_owned(), source }),
    }
}

/// Makes the database file with mode 0600 before SQLite does it by the umask; its companions inherit the mode.
pub(crate) fn private_database(path: &Path) -> Result<(), OpenError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        refuse_if_open(Path::new(&name))?;
    }
    let made = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map(|_| ()).map_err(|source| OpenError::Directory { path: path.to_owned(), source })
}
