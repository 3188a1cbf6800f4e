//! The file of the epoch keys: `epoch.keys` in `storage.key_dir`, locked against a second server.
//!
//! New keys are appended and synced, many at once; keys go by rewriting the file without them beside it and renaming.
//! A record is `day owner-tag key check` in 64 bytes. Records at the end that do not check were never acknowledged (a
//! crash during the append) and are dropped; one in the middle means a damaged disk and is refused. Of two records of
//! the same day and owner the later holds.

use crate::{open::OpenError, permissions, seal::Day, seal::EpochKey};
use jid::BareJid;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};
use std::{collections::HashMap, fs, io, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, path::PathBuf};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

const NAME: &str = "epoch.keys";
const MAGIC: &[u8; 16] = b"bocage-keys/1\0\0\0";
const RECORD: usize = 64;
const CHECKED: usize = 56;

/// Names an owner in the file by 128 bits of its address's hash.
pub(crate) type OwnerTag = [u8; 16];

/// Which key.
pub(crate) type KeyName = (Day, OwnerTag);

/// All keys.
pub(crate) type Keys = HashMap<KeyName, EpochKey>;

/// The tag of `owner`.
pub(crate) fn owner_tag(owner: &BareJid) -> OwnerTag {
    let hash: [u8; 32] = Sha256::new().chain_update(b"bocage/epoch-owner/").chain_update(owner.as_str()).finalize().into();
    hash.first_chunk().copied().unwrap_or_default()
}

/// The file, open for appending. Its keys live elsewhere.
pub(crate) struct KeyFile {
    directory: PathBuf,
    file: tokio::fs::File,
    /// Bytes that are known to be good.
    length: u64,
    /// A write failed half-way: the next one writes everything anew.
    suspect: bool,
    /// Holds the lock as long as it is open.
    _lock: fs::File,
}

impl KeyFile {
    /// Opens or makes the file, and reads it.
    pub(crate) fn open(directory: &Path) -> Result<(Self, Keys), OpenError> {
        permissions::private_directory(directory)?;
        let lock = lock(directory)?;
        let path = directory.join(NAME);
        permissions::refuse_if_open(&path)?;
        let fault = |source| OpenError::KeyDir { path: directory.to_owned(), source };
        let bytes = match fs::read(&path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write_new(directory, MAGIC).map_err(fault)?;
                Zeroizing::new(MAGIC.to_vec())
            }
            Err(error) => return Err(fault(error)),
        };
        let (keys, length) = parse(&bytes).ok_or_else(|| OpenError::KeysDamaged(path.clone()))?;
        let file = fs::OpenOptions::new().write(true).open(&path).map_err(fault)?;
        file.set_len(length).map_err(fault)?;
        let file = tokio::fs::File::from_std(file);
        Ok((Self { directory: directory.to_owned(), file, length, suspect: false, _lock: lock }, keys))
    }

    /// Did a write fail, so that the file may hold more or less than it should?
    pub(crate) fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// Adds keys; they are durable when it returns. Not for a suspect file.
    pub(crate) async fn append(&mut self, new: &Keys) -> io::Result<()> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(new.len() * RECORD));
        new.iter().for_each(|(name, key)| bytes.extend_from_slice(record(name, key).as_slice()));
        self.suspect = true;
        self.file.seek(io::SeekFrom::Start(self.length)).await?;
        self.file.write_all(&bytes).await?;
        self.file.flush().await?;
        self.file.sync_data().await?;
        self.length += bytes.len() as u64;
        self.suspect = false;
        Ok(())
    }

    /// Replaces the file by one with these keys only.
    pub(crate) async fn rewrite(&mut self, keys: impl Iterator<Item = Zeroizing<[u8; RECORD]>>) -> io::Result<()> {
        self.suspect = true;
        let mut bytes = Zeroizing::new(MAGIC.to_vec());
        keys.for_each(|key| bytes.extend_from_slice(key.as_slice()));
        let temporary = self.directory.join(format!("{NAME}.new"));
        let mut options = tokio::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary).await?;
        file.write_all(&bytes).await?;
        file.flush().await?;
        file.sync_all().await?;
        tokio::fs::rename(&temporary, self.directory.join(NAME)).await?;
        let old = std::mem::replace(&mut self.file, file);
        let old_length = std::mem::replace(&mut self.length, bytes.len() as u64);
        tokio::fs::File::open(&self.directory).await?.sync_all().await?;
        self.suspect = false;
        wipe(old, old_length).await;
        Ok(())
    }
}

/// Overwrites what was renamed away. Helps only on disks that write in place: the promise is the rename's.
async fn wipe(mut file: tokio::fs::File, length: u64) {
    let zeros = vec![0; usize::try_from(length).unwrap_or_default()];
    let _ = async {
        file.seek(io::SeekFrom::Start(0)).await?;
        file.write_all(&zeros).await?;
        file.flush().await?;
        file.sync_data().await
    }
    .await;
}

fn lock(directory: &Path) -> Result<fs::File, OpenError> {
    let fault = |source| OpenError::KeyDir { path: directory.to_owned(), source };
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(directory.join("lock")).map_err(fault)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse(directory.to_owned())),
        Err(error) => Err(fault(error.into())),
    }
}

fn write_new(directory: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = directory.join(format!("{NAME}.new"));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, directory.join(NAME))?;
    fs::File::open(directory)?.sync_all()
}

/// A key as the file holds it.
pub(crate) fn record(name: &KeyName, key: &EpochKey) -> Zeroizing<[u8; RECORD]> {
    let mut record = Zeroizing::new([0; RECORD]);
    let mut to = record.iter_mut();
    let day = name.0.to_le_bytes();
    let from = day.iter().chain(&name.1).chain(key.iter());
    from.zip(&mut to).for_each(|(from, to)| *to = *from);
    let check = check(record.first_chunk().unwrap_or(&[0; CHECKED]));
    record.iter_mut().skip(CHECKED).zip(check).for_each(|(to, from)| *to = from);
    record
}

fn check(checked: &[u8; CHECKED]) -> impl Iterator<Item = u8> + use<> {
    Sha256::digest(checked).into_iter().take(RECORD - CHECKED)
}

fn read_record(record: &[u8]) -> Option<(KeyName, EpochKey)> {
    let (checked, found) = record.split_first_chunk::<CHECKED>()?;
    if !check(checked).eq(found.iter().copied()) {
        return None;
    }
    let (day, rest) = checked.split_first_chunk::<8>()?;
    let (owner, key) = rest.split_first_chunk::<16>()?;
    Some(((i64::from_le_bytes(*day), *owner), Zeroizing::new(key.try_into().ok()?)))
}

/// The keys and the length of the good part; `None` when the file is damaged before its end.
fn parse(bytes: &[u8]) -> Option<(Keys, u64)> {
    let mut keys = Keys::new();
    let records = bytes.strip_prefix(MAGIC)?;
    let mut good = 0;
    let mut torn = false;
    for record in records.chunks(RECORD) {
        match read_record(record) {
            Some(_) if torn => return None,
            Some((name, key)) => {
                keys.insert(name, key);
                good += 1;
            }
            None => torn = true,
        }
    }
    Some((keys, (MAGIC.len() + good * RECORD) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(owner: &str, day: Day) -> KeyName {
        (day, owner_tag(&BareJid::new(owner).unwrap()))
    }

    #[test]
    fn records_survive_and_a_torn_end_is_dropped() {
        let (first, second) = (name("a@example.org", 3), name("b@example.org", -1));
        let mut bytes = MAGIC.to_vec();
        bytes.extend(record(&first, &Zeroizing::new([1; 32])).iter());
        bytes.extend(record(&second, &Zeroizing::new([2; 32])).iter());
        let whole = bytes.len() as u64;
        bytes.extend([0; 100]);
        let (keys, length) = parse(&bytes).unwrap();
        assert_eq!((keys.len(), length), (2, whole));
        assert_eq!((*keys[&first], *keys[&second]), ([1; 32], [2; 32]));
    }

    #[test]
    fn damage_in_the_middle_is_refused() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(record(&name("a@example.org", 3), &Zeroizing::new([1; 32])).iter());
        bytes.extend(record(&name("a@example.org", 4), &Zeroizing::new([1; 32])).iter());
        bytes[MAGIC.len() + 30] ^= 1;
        assert!(parse(&bytes).is_none());
        assert!(parse(b"something else").is_none());
    }

    #[tokio::test]
    async fn keys_come_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (name("a@example.org", 3), name("a@example.org", 4));
        let (mut file, keys) = KeyFile::open(directory.path()).unwrap();
        assert!(keys.is_empty());
        assert!(matches!(KeyFile::open(directory.path()), Err(OpenError::InUse(_))));
        let added = Keys::from([(old, Zeroizing::new([1; 32])), (new, Zeroizing::new([7; 32]))]);
        file.append(&added).await.unwrap();
        file.rewrite(std::iter::once(record(&new, &added[&new]))).await.unwrap();
        drop(file);
        let (_, keys) = KeyFile::open(directory.path()).unwrap();
        assert_eq!(keys, Keys::from([(new, Zeroizing::new([7; 32]))]));
        let bytes = fs::read(directory.path().join(NAME)).unwrap();
        assert!(!bytes.windows(32).any(|window| window == [1; 32]), "a destroyed key is in the file");
    }
}
