//! What rooms keep: one row a room, one a person in it, one a wish.

use super::{Index, index::Known};
use crate::room::{
    Kept, OptOuts, Past,
    model::{Grant, RoomRecord},
};
use bocage_api::{
    Archives, Declared, FromHost, HostHandles, InstallError, OptOut, Records,
    archive::{ArchiveQuery, Part, Scope},
    store::{Page, Stored},
};
use jid::{BareJid, DomainPart};
use serde::{Deserialize, Serialize};

/// Rooms of one host.
pub(crate) const ROOM_ROWS: usize = 100_000;
/// People with a row in one room.
pub(crate) const GRANT_ROWS: usize = 10_000;
/// Wishes about occupant-ids of one host.
pub(crate) const WISH_ROWS: usize = 100_000;
const PAGE: usize = 500;

impl Declared for RoomRecord {
    const COLLECTION: &'static str = "rooms";
    const ROWS_PER_OWNER: usize = ROOM_ROWS;
    const VALUE_BYTES: usize = 512 * 1024;
}
impl Declared for Grant {
    const COLLECTION: &'static str = "affiliations";
    const ROWS_PER_OWNER: usize = GRANT_ROWS;
    const VALUE_BYTES: usize = 16 * 1024;
}

/// Somebody wants to be somebody else under another nick.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Wish {
    who: String,
    room: Option<String>,
}
impl Declared for Wish {
    const COLLECTION: &'static str = "opt_outs";
    const ROWS_PER_OWNER: usize = WISH_ROWS;
}

/// Handle to what rooms keep.
pub struct RoomStores(Records<RoomRecord>, Records<Grant>, Records<Wish>, Archives);
impl FromHost for RoomStores {
    fn from_host(host: &HostHandles) -> Result<Self, InstallError> {
        let archives = Archives::from_host(host)?;
        Ok(Self(Records::from_host(host)?, Records::from_host(host)?, Records::from_host(host)?, archives))
    }
}
impl RoomStores {
    /// The archives alone.
    pub(crate) fn archives(&self) -> Archives {
        self.3.clone()
    }
    /// For the rooms of `host`.
    pub(crate) fn of(self, host: DomainPart) -> Store {
        Store { host, rooms: self.0, grants: self.1, wishes: self.2, archives: self.3 }
    }
}

/// The collections.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) host: DomainPart,
    pub(crate) rooms: Records<RoomRecord>,
    pub(crate) grants: Records<Grant>,
    pub(crate) wishes: Records<Wish>,
    pub(crate) archives: Archives,
}

impl Store {
    /// Everything that has to be known before a room wakes.
    pub(crate) async fn load(&self, index: &Index, opt_outs: &OptOuts) -> Stored<()> {
        let mut after = None;
        loop {
            let page = Page { prefix: String::new(), after: after.take(), limit: PAGE };
            let wishes = self.wishes.list(self.host.as_str(), page).await?;
            for (_, wish) in &wishes {
                let scope = wish.room.as_deref().map(BareJid::new).transpose();
                if let (Ok(who), Ok(scope)) = (BareJid::new(&wish.who), scope) {
                    opt_outs.set(&who, scope, OptOut::Yes);
                }
            }
            match wishes.last() {
                Some((key, _)) if wishes.len() == PAGE => after = Some(key.clone()),
                _ => break,
            }
        }
        loop {
            let page = Page { prefix: String::new(), after: after.take(), limit: PAGE };
            let rooms = self.rooms.list(self.host.as_str(), page).await?;
            for (room, record) in &rooms {
                if let Ok(room) = BareJid::new(&format!("{room}@{}", self.host)) {
                    let known = Known { public: record.config.public, name: record.config.name.clone() };
                    index.put(room, known);
                }
            }
            match rooms.last() {
                Some((key, _)) if rooms.len() == PAGE => after = Some(key.clone()),
                _ => break,
            }
        }
        index.set_loaded();
        Ok(())
    }

    pub(crate) async fn room(&self, room: &BareJid) -> Stored<Option<RoomRecord>> {
        let key = room.node().map(|node| node.as_str()).unwrap_or_default();
        Ok(self.rooms.get(self.host.as_str(), key).await?.map(|versioned| versioned.value))
    }

    pub(crate) async fn grants(&self, room: &BareJid) -> Stored<Vec<(BareJid, Grant)>> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = Page { prefix: String::new(), after: after.take(), limit: PAGE };
            let rows = self.grants.list(room.as_str(), page).await?;
            let full = rows.len() == PAGE;
            after = rows.last().map(|(key, _)| key.clone());
            all.extend(rows.into_iter().filter_map(|(who, grant)| Some((BareJid::new(&who).ok()?, grant))));
            if !full {
                return Ok(all);
            }
        }
    }

    /// What was said last, oldest first.
    pub(crate) async fn past(&self, room: &BareJid, limit: usize) -> Stored<Vec<Past>> {
        let query = ArchiveQuery { part: Part::Last, limit, ..ArchiveQuery::default() };
        let page = if limit == 0 { None } else { self.archives.page(room, query).await? };
        Ok(page.map(|page| page.rows.iter().filter_map(Past::of).collect()).unwrap_or_default())
    }

    /// One change; resolves after the commit.
    pub(crate) async fn keep(&self, room: &BareJid, change: &Kept) -> Stored<()> {
        let key = room.node().map(|node| node.as_str()).unwrap_or_default();
        match change {
            Kept::Room(record) => self.rooms.put(self.host.as_str(), key, record).await,
            Kept::Grant(who, Some(grant)) => self.grants.put(room.as_str(), who.as_str(), grant).await,
            Kept::Grant(who, None) => self.grants.delete(room.as_str(), who.as_str()).await.map(drop),
            Kept::Destroyed => {
                for (who, _) in self.grants(room).await? {
                    self.grants.delete(room.as_str(), who.as_str()).await?;
                }
                self.archives.erase(room, Scope::Whole).await?;
                self.rooms.delete(self.host.as_str(), key).await.map(drop)
            }
            Kept::Retracted(retraction) => self.archives.retract(room, (**retraction).clone()).await.map(drop),
            Kept::Keeps(keeps) => self.archives.set_keeps(room, *keeps).await,
            Kept::Forgotten => self.archives.erase(room, Scope::Whole).await.map(drop),
        }
    }

    pub(crate) async fn wish(&self, who: &BareJid, room: Option<&BareJid>, wish: OptOut) -> Stored<()> {
        let scope = room.map(|room| room.as_str()).unwrap_or_default();
        let key = format!("{who}/{scope}");
        match wish {
            OptOut::Yes => {
                self.wishes
                    .put(self.host.as_str(), &key, &Wish { who: who.to_string(), room: room.map(ToString::to_string) })
                    .await
            }
            OptOut::No => self.wishes.delete(self.host.as_str(), &key).await.map(drop),
        }
    }
}
