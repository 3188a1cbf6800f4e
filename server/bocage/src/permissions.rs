//! Who else can read our files (H71). The server refuses to start where a secret lies open to every user of the machine.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

/// What "others" may do with it; 0 when it is not there.
pub(crate) fn others(path: &Path) -> u32 {
    fs::metadata(path).map(|meta| meta.permissions().mode() & 0o007).unwrap_or_default()
}

/// Can every user read it, or enter it?
pub(crate) fn open_to_all(path: &Path) -> bool {
    others(path) != 0
}

/// Makes the directory, with its parents, for the server's user alone. One that is there is left as it is.
///
/// # Errors
/// When it cannot be made or is no directory.
pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Can the server make files there? Asked by making one.
///
/// # Errors
/// Why not.
pub(crate) fn try_writing(dir: &Path) -> io::Result<()> {
    let probe = dir.join(".bocage-check");
    fs::OpenOptions::new().write(true).create_new(true).open(&probe).or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => fs::OpenOptions::new().write(true).open(&probe),
        _ => Err(error),
    })?;
    fs::remove_file(probe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_directories_are_private_and_writable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        make_private_dir(&path).unwrap();
        assert!(!open_to_all(&path));
        try_writing(&path).unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o701)).unwrap();
        assert!(open_to_all(&path));
        assert!(!open_to_all(&dir.path().join("absent")));
    }
}
