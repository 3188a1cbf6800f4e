//! The epoch keys in use, and rows sealed and opened with them. One writer adds and destroys keys; readers only look.

use crate::{
    codec,
    keyfile::{KeyFile, KeyName, Keys, OwnerTag, owner_tag, record},
    names::{Inner, Names},
    outbound::{self, Epoch, OutboundKeys, Slot},
    seal::{Day, DayKeys, EpochKey, Place, TAG, day_of},
};
use aws_lc_rs::aead::{AES_256_GCM, NONCE_LEN};
use bocage_api::{
    archive::{ArchiveEntry, ArchivedMessage},
    clock::Entropy,
    store::{OutboundDraft, OutboundRow, StoreError},
};
use jid::BareJid;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};
use zeroize::Zeroizing;

/// Derived keys kept at most; when it is full it starts anew.
const DERIVED_KEYS: usize = 4096;

/// Days that are looked at for tags: no period is longer than a year, and clocks err.
const MOST_DAYS: i64 = 400;

/// How payloads are kept. There is one way; tests have another to show that their search would find plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sealing {
    Epoch,
    #[cfg(test)]
    Raw,
}

/// What goes into the columns of a row besides its plain ones.
pub(crate) struct SealedRow {
    pub(crate) name: Inner,
    pub(crate) day: Day,
    pub(crate) with_bare: [u8; TAG],
    pub(crate) with_full: [u8; TAG],
    pub(crate) reference: Option<[u8; TAG]>,
    pub(crate) bytes: Vec<u8>,
}

/// Keys in memory.
pub(crate) struct Vault {
    keys: RwLock<Keys>,
    derived: Mutex<HashMap<KeyName, Arc<DayKeys>>>,
    entropy: Entropy,
    sealing: Sealing,
    pub(crate) names: Names,
    /// The latest day that a key is of.
    newest: AtomicI64,
}

impl Vault {
    pub(crate) fn new(keys: Keys, names: Names, (entropy, sealing): (Entropy, Sealing)) -> Self {
        let newest = AtomicI64::new(keys.keys().map(|name| name.0).max().unwrap_or(0));
        Self { keys: RwLock::new(keys), derived: Mutex::default(), entropy, sealing, names, newest }
    }

    fn day_keys(&self, day: Day, owner: &BareJid) -> Result<Option<Arc<DayKeys>>, StoreError> {
        let name = (day, owner_tag(owner));
        // Held to the end: a key destroyed meanwhile must not come back into `derived`.
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = derived.get(&name) {
            return Ok(Some(found.clone()));
        }
        let Some(ek) = keys.get(&name) else { return Ok(None) };
        let made = Arc::new(DayKeys::new(ek, owner)?);
        if derived.len() >= DERIVED_KEYS {
            derived.clear();
        }
        derived.insert(name, made.clone());
        Ok(Some(made))
    }

    /// Seals a row for its place. Its key must be there.
    pub(crate) fn seal(&self, entry: &ArchiveEntry, position: i64) -> Result<SealedRow, StoreError> {
        let day = day_of(entry.stamp);
        let keys = self.day_keys(day, &entry.owner)?.ok_or_else(no_key)?;
        let (full, bare) = (entry.party.full(), entry.party.account());
        let with_full = keys.with_tag(full.as_str())?;
        let id = entry.id.to_string();
        let place = Place { owner: &entry.owner, segment: &[], id: &id, position, stamp: entry.stamp };
        Ok(SealedRow {
            name: self.names.inner(entry.id),
            day,
            with_bare: if bare == full.as_str() { with_full } else { keys.with_tag(bare)? },
            with_full,
            reference: entry.reference().map(|(author, id)| keys.reference_tag(author, id)).transpose()?,
            bytes: self.seal_content(&entry.message, &place, &keys)?,
        })
    }

    fn seal_content(&self, message: &ArchivedMessage, place: &Place<'_>, keys: &DayKeys) -> Result<Vec<u8>, StoreError> {
        let mut buffer = Vec::with_capacity(256 + message.payload.len() + AES_256_GCM.tag_len());
        match self.sealing {
            Sealing::Epoch => {
                buffer.resize(NONCE_LEN, 0);
                codec::encode(message, &mut buffer)?;
                keys.seal(place, self.entropy.bytes(), buffer)
            }
            #[cfg(test)]
            Sealing::Raw => codec::encode(message, &mut buffer).map(|()| buffer),
        }
    }

    /// Seals other content for the place of a row; `None` when its key is gone.
    pub(crate) fn reseal(&self, message: &ArchivedMessage, place: &Place<'_>, day: Day) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(keys) = self.day_keys(day, place.owner)? else { return Ok(None) };
        self.seal_content(message, place, &keys).map(Some)
    }

    /// Opens a row; `None` when its key is gone.
    pub(crate) fn open(&self, place: &Place<'_>, day: Day, sealed: Vec<u8>) -> Result<Option<ArchivedMessage>, StoreError> {
        let Some(keys) = self.day_keys(day, place.owner)? else { return Ok(None) };
        match self.sealing {
            Sealing::Epoch => codec::decode(&keys.open(place, sealed)?).map(Some),
            #[cfg(test)]
            Sealing::Raw => codec::decode(&sealed).map(Some),
        }
    }

    /// The tag of a reference under the key of one day, if that is there.
    pub(crate) fn reference(
        &self,
        day: Day,
        owner: &BareJid,
        (author, id): (&str, &str),
    ) -> Result<Option<[u8; TAG]>, StoreError> {
        self.day_keys(day, owner)?.map(|keys| keys.reference_tag(author, id)).transpose()
    }

    /// A tag under each key that the owner has from the day `first` on.
    pub(crate) fn tags(
        &self,
        owner: &BareJid,
        (first, last): (Day, Day),
        tag: impl Fn(&DayKeys) -> Result<[u8; TAG], StoreError>,
    ) -> Result<Vec<[u8; TAG]>, StoreError> {
        let newest = self.newest.load(Ordering::Relaxed).max(last);
        let mut tags = Vec::new();
        for day in first.max(newest - MOST_DAYS)..=newest {
            if let Some(keys) = self.day_keys(day, owner)? {
                tags.push(tag(&keys)?);
            }
        }
        Ok(tags)
    }

    /// Seals an outbound row for its place. Its key must be there.
    pub(crate) fn seal_outbound(&self, draft: &OutboundDraft, slot: &Slot) -> Result<(Epoch, Vec<u8>), StoreError> {
        let keys = self.day_keys(slot.day, &draft.owner)?.ok_or_else(no_key)?;
        let mut buffer = Vec::with_capacity(128 + draft.payload.len() + AES_256_GCM.tag_len());
        let sealed = match self.sealing {
            Sealing::Epoch => {
                buffer.resize(NONCE_LEN, 0);
                outbound::encode(draft, &mut buffer)?;
                keys.outbound.seal(slot, self.entropy.bytes(), buffer)?
            }
            #[cfg(test)]
            Sealing::Raw => outbound::encode(draft, &mut buffer).map(|()| buffer)?,
        };
        Ok((keys.outbound.epoch, sealed))
    }

    /// Opens an outbound row.
    pub(crate) fn open_outbound(&self, keys: &OutboundKeys, slot: &Slot, sealed: Vec<u8>) -> Result<OutboundRow, StoreError> {
        match self.sealing {
            Sealing::Epoch => outbound::decode(slot, &keys.open(slot, sealed)?),
            #[cfg(test)]
            Sealing::Raw => outbound::decode(slot, &sealed),
        }
    }

    /// The keys of these epochs as far as they are there, without those of `but`.
    pub(crate) fn outbound_keys(
        &self,
        epochs: &HashSet<(Day, Epoch)>,
        but: Option<&BareJid>,
    ) -> Result<HashMap<(Day, Epoch), OutboundKeys>, StoreError> {
        let days: HashSet<Day> = epochs.iter().map(|(day, _)| *day).collect();
        let but = but.map(owner_tag);
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = HashMap::new();
        for (name, ek) in keys.iter().filter(|(name, _)| days.contains(&name.0) && Some(name.1) != but) {
            let epoch = (name.0, outbound::epoch(ek)?);
            if epochs.contains(&epoch) {
                found.insert(epoch, OutboundKeys::new(ek)?);
            }
        }
        Ok(found)
    }

    /// Makes the keys that rows of these days and owners need. They are durable when it returns.
    pub(crate) async fn ensure(&self, file: &mut KeyFile, wanted: &[(Day, &BareJid)]) -> std::io::Result<()> {
        let new = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            let names = wanted.iter().map(|(day, owner)| (*day, owner_tag(owner)));
            names.filter(|name| !keys.contains_key(name)).collect::<HashSet<_>>()
        };
        if new.is_empty() {
            return Ok(());
        }
        if let Some(newest) = new.iter().map(|name| name.0).max() {
            self.newest.fetch_max(newest, Ordering::Relaxed);
        }
        let new: Keys = new.into_iter().map(|name| (name, self.new_key())).collect();
        if file.is_suspect() {
            file.rewrite(self.records().into_iter()).await?;
        }
        file.append(&new).await?;
        self.keys.write().unwrap_or_else(PoisonError::into_inner).extend(new);
        Ok(())
    }

    fn new_key(&self) -> EpochKey {
        let mut key = Zeroizing::new([0; 32]);
        self.entropy.fill(key.as_mut_slice());
        key
    }

    fn records(&self) -> Vec<Zeroizing<[u8; 64]>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().map(|(name, key)| record(name, key)).collect()
    }

    /// Destroys keys: in memory at once, then in the file. An error means that the file may still hold some.
    pub(crate) async fn destroy(&self, file: &mut KeyFile, doomed: &Doomed) -> std::io::Result<()> {
        {
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            let before = keys.len();
            keys.retain(|name, _| !doomed.covers(name));
            self.derived.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| !doomed.covers(name));
            if keys.len() == before && !file.is_suspect() {
                return Ok(());
            }
        }
        file.rewrite(self.records().into_iter()).await
    }
}

fn no_key() -> StoreError {
    StoreError::Unavailable("the key store cannot be written".to_owned())
}

/// Which keys are to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Doomed {
    /// All of earlier days.
    #[cfg(test)]
    Before(Day),
    /// All of this owner.
    Of(BareJid),
    /// Those of this owner from earlier days.
    OfBefore(BareJid, Day),
    /// Each owner's from before their day, and all others' from before the second one.
    Expired(HashMap<OwnerTag, Day>, Day),
}

impl Doomed {
    fn covers(&self, name: &KeyName) -> bool {
        match self {
            #[cfg(test)]
            Self::Before(day) => name.0 < *day,
            Self::Of(owner) => name.1 == owner_tag(owner),
            Self::OfBefore(owner, day) => name.0 < *day && name.1 == owner_tag(owner),
            Self::Expired(owners, others) => name.0 < *owners.get(&name.1).unwrap_or(others),
        }
    }
}
