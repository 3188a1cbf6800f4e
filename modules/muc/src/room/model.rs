//! Affiliations, roles, and what is stored of a room.

use bocage_api::{Whois, clock::UnixSeconds};
use serde::{Deserialize, Serialize};

/// A lasting tie between an account and a room (XEP-0045 section 5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Affiliation {
    Outcast,
    #[default]
    None,
    Member,
    Admin,
    Owner,
}

impl Affiliation {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "outcast" => Self::Outcast,
            "none" => Self::None,
            "member" => Self::Member,
            "admin" => Self::Admin,
            "owner" => Self::Owner,
            _ => return None,
        })
    }
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Outcast => "outcast",
            Self::None => "none",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// What an occupant may do while inside (section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    None,
    Visitor,
    Participant,
    Moderator,
}

impl Role {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "none" => Self::None,
            "visitor" => Self::Visitor,
            "participant" => Self::Participant,
            "moderator" => Self::Moderator,
            _ => return None,
        })
    }
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Visitor => "visitor",
            Self::Participant => "participant",
            Self::Moderator => "moderator",
        }
    }
}

/// Who may send private messages (`muc#roomconfig_allowpm`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AllowPm {
    #[default]
    Anyone,
    Participants,
    Moderators,
    None,
}

/// Whether the ids of occupants outlive their nicks (H25).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IdMode {
    #[default]
    Stable,
    Nick,
    Off,
}

/// Who may see real JIDs, as it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SeenBy {
    Nobody,
    #[default]
    Moderators,
    Anyone,
}
impl From<SeenBy> for Whois {
    fn from(seen: SeenBy) -> Self {
        match seen {
            SeenBy::Nobody => Self::Nobody,
            SeenBy::Moderators => Self::Moderators,
            SeenBy::Anyone => Self::Anyone,
        }
    }
}

/// How a room is set up: the owner's form. Every default is the private choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools, reason = "it is a form of boxes to tick")]
pub(crate) struct RoomConfig {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) lang: String,
    pub(crate) persistent: bool,
    pub(crate) public: bool,
    pub(crate) members_only: bool,
    pub(crate) moderated: bool,
    pub(crate) password: Option<String>,
    pub(crate) whois: SeenBy,
    pub(crate) change_subject: bool,
    pub(crate) allow_invites: bool,
    pub(crate) allow_pm: AllowPm,
    /// 0 = as many as the service takes.
    pub(crate) max_users: u32,
    /// Messages for newcomers at most.
    pub(crate) history: u32,
    pub(crate) archive: bool,
    /// Roles whose presence is shown to others.
    pub(crate) broadcast: Vec<Role>,
    pub(crate) occupant_id: IdMode,
    /// Seconds; 0 = as long as the operator allows.
    pub(crate) retention: u64,
    /// Seconds between two messages of one participant (XEP-0500); 0 = off.
    pub(crate) slow_mode: u32,
    pub(crate) show_caps: bool,
    pub(crate) show_status: bool,
    pub(crate) show_avatars: bool,
    /// Links to occupants' own upload hosts are taken out (H29).
    pub(crate) strip_upload_links: bool,
    /// Addresses that the room names for questions (XEP-0045 section 6.4); nobody unless the owner says.
    pub(crate) contacts: Vec<String>,
    /// People who are nothing here may ask to become members (section 9.9).
    pub(crate) membership_requests: bool,
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            lang: String::new(),
            persistent: true,
            public: false,
            members_only: false,
            moderated: false,
            password: None,
            whois: SeenBy::Moderators,
            change_subject: false,
            allow_invites: false,
            allow_pm: AllowPm::Anyone,
            max_users: 0,
            history: 20,
            archive: true,
            broadcast: vec![Role::Visitor, Role::Participant, Role::Moderator],
            occupant_id: IdMode::Stable,
            retention: 0,
            slow_mode: 0,
            show_caps: false,
            show_status: false,
            show_avatars: false,
            strip_upload_links: false,
            contacts: Vec::new(),
            membership_requests: false,
        }
    }
}

/// The subject as it was set last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    /// Language and text.
    pub(crate) texts: Vec<(Option<String>, String)>,
    /// Who set it; the room itself when `None`.
    pub(crate) nick: Option<String>,
    pub(crate) stamp: UnixSeconds,
}

/// What one account is to the room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Grant {
    pub(crate) affiliation: Affiliation,
    /// Reserved nick (section 7.13).
    pub(crate) nick: Option<String>,
    pub(crate) reason: Option<String>,
    /// Shown in the lists that every member reads: entered or was granted while real JIDs were open (H20).
    pub(crate) open: bool,
    /// Hats: URI and title (XEP-0317).
    pub(crate) hats: Vec<(String, String)>,
}
impl Grant {
    /// Nothing in it is worth a row.
    pub(crate) fn is_void(&self) -> bool {
        self.affiliation == Affiliation::None && self.nick.is_none() && self.hats.is_empty()
    }
    pub(crate) fn is_ban(&self) -> bool {
        self.affiliation == Affiliation::Outcast
    }
}

/// Secrets of one room: nothing derived from them says anything about another room.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomKeys {
    pub(crate) author: [u8; 32],
    pub(crate) id: [u8; 32],
}
impl std::fmt::Debug for RoomKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RoomKeys")
    }
}

/// What is stored of a room besides its affiliations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomRecord {
    pub(crate) config: RoomConfig,
    pub(crate) subject: Option<Subject>,
    pub(crate) keys: RoomKeys,
    /// Messages before it were written under another promise about real JIDs (H20, H28).
    #[serde(default)]
    pub(crate) archive_from: UnixSeconds,
    /// Hats that can be given: URI and title (XEP-0317).
    #[serde(default)]
    pub(crate) hats: Vec<(String, String)>,
    /// The avatar: SHA-1 in hex and the vCard (XEP-0486).
    #[serde(default)]
    pub(crate) avatar: Option<(String, bocage_api::ElementRecord)>,
    /// Who asks to become a member, and under which nick, oldest first.
    #[serde(default)]
    pub(crate) requests: Vec<(String, String)>,
}

impl RoomRecord {
    /// Of a new room.
    pub(crate) fn new(config: RoomConfig, keys: RoomKeys) -> Self {
        Self { config, subject: None, keys, archive_from: 0, hats: Vec::new(), avatar: None, requests: Vec::new() }
    }
}
