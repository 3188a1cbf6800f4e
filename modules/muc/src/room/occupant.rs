//! Somebody inside: one nick, one account, one or several sessions.

use super::{
    model::{Affiliation, Role},
    rate::Bucket,
};
use bocage_api::Frozen;
use jid::{BareJid, FullJid, Jid, ResourcePart};
use minidom::Element;
use std::{sync::Arc, time::Duration};

/// An occupant.
pub(crate) struct Occupant {
    pub(crate) nick: ResourcePart,
    /// `room@service/nick`
    pub(super) jid: Jid,
    pub(super) bare: BareJid,
    pub(super) role: Role,
    pub(super) affiliation: Affiliation,
    /// Sessions, the one that spoke last behind.
    pub(super) seats: Vec<Arc<FullJid>>,
    /// The last session, gone while others are still shown the occupant (H27).
    pub(super) left: Option<Arc<FullJid>>,
    /// See `Room::author`.
    pub(super) author: String,
    /// The occupant-id that others see.
    pub(super) id: Option<String>,
    pub(super) hats: Vec<(String, String)>,
    /// What of the client's presence may be shown.
    pub(super) payloads: Vec<Element>,
    /// The presence as it was shown last, without and with the real JID.
    shown: [Option<Arc<Frozen>>; 2],
    pub(super) messages: Bucket,
    pub(super) changes: Bucket,
    /// When the last message was said (XEP-0500).
    pub(super) spoke: Option<Duration>,
}

/// Whether somebody may see real JIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sees {
    Nicks = 0,
    Addresses = 1,
}

impl Occupant {
    pub(super) fn new(jid: (ResourcePart, Jid), who: (BareJid, Affiliation, Role), author: String) -> Self {
        Self {
            nick: jid.0,
            jid: jid.1,
            bare: who.0,
            affiliation: who.1,
            role: who.2,
            seats: Vec::new(),
            left: None,
            author,
            id: None,
            hats: Vec::new(),
            payloads: Vec::new(),
            shown: [None, None],
            messages: Bucket::default(),
            changes: Bucket::default(),
            spoke: None,
        }
    }
    pub(super) fn shown(&self, sees: Sees) -> Option<Arc<Frozen>> {
        match sees {
            Sees::Nicks => self.shown[0].clone(),
            Sees::Addresses => self.shown[1].clone(),
        }
    }
    pub(super) fn set_shown(&mut self, sees: Sees, frozen: &Arc<Frozen>) {
        match sees {
            Sees::Nicks => self.shown[0] = Some(frozen.clone()),
            Sees::Addresses => self.shown[1] = Some(frozen.clone()),
        }
    }
    /// Something about it changed.
    pub(super) fn forget_shown(&mut self) {
        self.shown = [None, None];
    }
    pub(super) fn is_moderator(&self) -> bool {
        self.role == Role::Moderator
    }
    /// The session that others are shown where real JIDs are.
    pub(super) fn first_seat(&self) -> Option<&Arc<FullJid>> {
        self.seats.first().or(self.left.as_ref())
    }
}
