//! The owner's form (XEP-0045 section 10.2, registrar's `muc#roomconfig`) and the rules that it has to keep (H20).

use super::{
    Env,
    form::{Form, Submitted},
    model::{AllowPm, IdMode, Role, RoomConfig, SeenBy},
};
use crate::xml::ROOM_CONFIG;
use bocage_api::StanzaError;
use jid::BareJid;
use minidom::Element;

const NAME: &str = "muc#roomconfig_roomname";
const DESCRIPTION: &str = "muc#roomconfig_roomdesc";
const LANG: &str = "muc#roomconfig_lang";
const PERSISTENT: &str = "muc#roomconfig_persistentroom";
const PUBLIC: &str = "muc#roomconfig_publicroom";
const MEMBERS_ONLY: &str = "muc#roomconfig_membersonly";
const MODERATED: &str = "muc#roomconfig_moderatedroom";
const PROTECTED: &str = "muc#roomconfig_passwordprotectedroom";
const SECRET: &str = "muc#roomconfig_roomsecret";
const WHOIS: &str = "muc#roomconfig_whois";
const CHANGE_SUBJECT: &str = "muc#roomconfig_changesubject";
const INVITES: &str = "muc#roomconfig_allowinvites";
const ALLOW_PM: &str = "muc#roomconfig_allowpm";
const MAX_USERS: &str = "muc#roomconfig_maxusers";
const HISTORY: &str = "muc#maxhistoryfetch";
const ARCHIVE: &str = "muc#roomconfig_enablearchiving";
const BROADCAST: &str = "muc#roomconfig_presencebroadcast";
const SLOW: &str = "muc#roomconfig_slow_mode_duration";
const CONTACTS: &str = "muc#roomconfig_contactjid";
const OCCUPANT_ID: &str = "x-bocage#occupant_id";
const RETENTION: &str = "x-bocage#retention_days";
const SHOWS: &str = "x-bocage#presence_shows";
const UPLOAD_LINKS: &str = "x-bocage#strip_upload_links";
const REQUESTS: &str = "x-bocage#membership_requests";

/// Bytes of one text.
const MAX_TEXT: usize = 4 * 1024;
const MAX_CONTACTS: usize = 20;
const MAX_HISTORY: u32 = 100;
/// A day of silence between two messages is no room any more.
const MAX_SLOW: u32 = 86_400;
const DAY: u64 = 86_400;

const YES_NO_PM: [(&str, &str); 4] =
    [("anyone", "Anyone"), ("participants", "Participants"), ("moderators", "Moderators"), ("none", "Nobody")];
const ROLES: [(&str, &str); 3] = [("moderator", "Moderators"), ("participant", "Participants"), ("visitor", "Visitors")];

/// The form as it is now.
pub(super) fn form(env: &Env, config: &RoomConfig) -> Element {
    let whois = match config.whois {
        SeenBy::Nobody => "nobody",
        SeenBy::Moderators => "moderators",
        SeenBy::Anyone => "anyone",
    };
    let mut seen_by = vec![("moderators", "Moderators"), ("anyone", "Everybody (members-only and hidden rooms)")];
    if env.offers_nobody() || config.whois == SeenBy::Nobody {
        seen_by.insert(0, ("nobody", "Nobody"));
    }
    let form = Form::new("form", ROOM_CONFIG).title("Room configuration");
    let form = texts(form, config)
        .boolean(PERSISTENT, "The room stays when it is empty", config.persistent)
        .boolean(PUBLIC, "The room is listed", config.public)
        .boolean(MEMBERS_ONLY, "Only members may enter", config.members_only)
        .list(WHOIS, ("list-single", "Who sees real addresses"), &seen_by, &[whois]);
    let form = speech(form, config);
    ours(form, config).build()
}

fn texts(form: Form, config: &RoomConfig) -> Form {
    let password = config.password.as_deref().unwrap_or_default();
    form.text(NAME, "Name", &config.name)
        .text(DESCRIPTION, "Description", &config.description)
        .text(LANG, "Language", &config.lang)
        .boolean(PROTECTED, "A password is needed to enter", config.password.is_some())
        .field(SECRET, "text-private", "Password", &[password])
        .text(MAX_USERS, "Occupants at most (0: as many as the service takes)", &config.max_users.to_string())
}

fn speech(form: Form, config: &RoomConfig) -> Form {
    let allow_pm = match config.allow_pm {
        AllowPm::Anyone => "anyone",
        AllowPm::Participants => "participants",
        AllowPm::Moderators => "moderators",
        AllowPm::None => "none",
    };
    let broadcast: Vec<&str> = config.broadcast.iter().map(|role| role.as_str()).collect();
    let contacts: Vec<&str> = config.contacts.iter().map(String::as_str).collect();
    form.boolean(MODERATED, "Only people with voice may speak", config.moderated)
        .boolean(CHANGE_SUBJECT, "Participants may change the subject", config.change_subject)
        .boolean(INVITES, "Participants may invite", config.allow_invites)
        .list(ALLOW_PM, ("list-single", "Who may send private messages"), &YES_NO_PM, &[allow_pm])
        .list(BROADCAST, ("list-multi", "Roles whose presence is shown"), &ROLES, &broadcast)
        .text(HISTORY, "Messages for newcomers", &config.history.to_string())
        .boolean(ARCHIVE, "Messages are kept for who was away", config.archive)
        .text(SLOW, "Seconds between two messages of one participant (0: no pause)", &config.slow_mode.to_string())
        .field(CONTACTS, "jid-multi", "Addresses to ask about the room", &contacts)
}

fn ours(form: Form, config: &RoomConfig) -> Form {
    let id = match config.occupant_id {
        IdMode::Stable => "stable",
        IdMode::Nick => "nick",
        IdMode::Off => "off",
    };
    let ids = [("stable", "Lasting"), ("nick", "Another under another nick"), ("off", "None")];
    let shows: Vec<&str> = [("caps", config.show_caps), ("status", config.show_status), ("avatar", config.show_avatars)]
        .into_iter()
        .filter_map(|(name, shown)| shown.then_some(name))
        .collect();
    let options = [("caps", "Client features"), ("status", "Status texts"), ("avatar", "Avatars")];
    form.list(OCCUPANT_ID, ("list-single", "Occupant ids"), &ids, &[id])
        .text(RETENTION, "Days that messages are kept (0: as long as the service does)", &(config.retention / DAY).to_string())
        .list(SHOWS, ("list-multi", "What occupants show besides (members-only rooms with open addresses)"), &options, &shows)
        .boolean(UPLOAD_LINKS, "Links to occupants' own upload hosts are taken out", config.strip_upload_links)
        .boolean(REQUESTS, "People may ask to become members", config.membership_requests)
}

/// The configuration after `given`; fields that are not there stay as they are.
///
/// # Errors
/// `not-acceptable` with a text that names the field.
pub(super) fn apply(env: &Env, before: &RoomConfig, given: &Submitted) -> Result<RoomConfig, StanzaError> {
    let mut config = before.clone();
    apply_texts(&mut config, given)?;
    apply_boxes(&mut config, given)?;
    apply_lists(&mut config, given)?;
    apply_numbers(&mut config, given)?;
    apply_ours(&mut config, given)?;
    check(env, before, &config)?;
    Ok(config)
}

/// H20: real JIDs are open to everybody only where nobody comes by chance.
fn check(env: &Env, before: &RoomConfig, config: &RoomConfig) -> Result<(), StanzaError> {
    let open = config.whois == SeenBy::Anyone;
    if open && (!config.members_only || config.public) {
        return Err(not_acceptable(
            "muc#roomconfig_whois: \"anyone\" needs muc#roomconfig_membersonly on and muc#roomconfig_publicroom off",
        ));
    }
    if config.whois == SeenBy::Nobody && before.whois != SeenBy::Nobody && !env.offers_nobody() {
        return Err(not_acceptable("muc#roomconfig_whois: \"nobody\" is not offered here"));
    }
    // The service's own answer about who may see is the most that a room may say.
    let most = env.rooms.whois();
    if !open && bocage_api::Whois::from(config.whois) > most {
        return Err(not_acceptable("muc#roomconfig_whois: this service shows real addresses to nobody"));
    }
    Ok(())
}

fn not_acceptable(text: &'static str) -> StanzaError {
    StanzaError::not_acceptable().with_text(text)
}

fn apply_texts(config: &mut RoomConfig, given: &Submitted) -> Result<(), StanzaError> {
    let fields = [(NAME, &mut config.name), (DESCRIPTION, &mut config.description), (LANG, &mut config.lang)];
    for (var, text) in fields {
        if let Some(value) = given.one(var) {
            if value.len() > MAX_TEXT {
                return Err(not_acceptable("a text is too long"));
            }
            value.clone_into(text);
        }
    }
    let secret = given.one(SECRET).filter(|secret| !secret.is_empty() && secret.len() <= MAX_TEXT);
    match (given.boolean(PROTECTED).transpose().map_err(|()| boolean())?, secret) {
        (Some(false), _) => config.password = None,
        (Some(true), None) if config.password.is_none() => {
            return Err(not_acceptable("muc#roomconfig_roomsecret: a password is needed"));
        }
        (_, Some(secret)) => config.password = Some(secret.to_owned()),
        (None, None) if given.one(SECRET).is_some() => config.password = None,
        _ => {}
    }
    Ok(())
}

fn boolean() -> StanzaError {
    not_acceptable("a box is neither ticked nor not")
}

fn apply_boxes(config: &mut RoomConfig, given: &Submitted) -> Result<(), StanzaError> {
    let fields = [
        (PERSISTENT, &mut config.persistent),
        (PUBLIC, &mut config.public),
        (MEMBERS_ONLY, &mut config.members_only),
        (MODERATED, &mut config.moderated),
        (CHANGE_SUBJECT, &mut config.change_subject),
        (INVITES, &mut config.allow_invites),
        (ARCHIVE, &mut config.archive),
        (UPLOAD_LINKS, &mut config.strip_upload_links),
        (REQUESTS, &mut config.membership_requests),
    ];
    for (var, value) in fields {
        if let Some(given) = given.boolean(var) {
            *value = given.map_err(|()| boolean())?;
        }
    }
    Ok(())
}

fn apply_lists(config: &mut RoomConfig, given: &Submitted) -> Result<(), StanzaError> {
    if let Some(whois) = given.one(WHOIS) {
        config.whois = match whois {
            "nobody" => SeenBy::Nobody,
            "moderators" => SeenBy::Moderators,
            "anyone" => SeenBy::Anyone,
            _ => return Err(not_acceptable("muc#roomconfig_whois: unknown value")),
        };
    }
    if let Some(allow) = given.one(ALLOW_PM) {
        config.allow_pm = match allow {
            "anyone" => AllowPm::Anyone,
            "participants" => AllowPm::Participants,
            "moderators" => AllowPm::Moderators,
            "none" => AllowPm::None,
            _ => return Err(not_acceptable("muc#roomconfig_allowpm: unknown value")),
        };
    }
    if let Some(roles) = given.all(BROADCAST) {
        let mut roles: Vec<Role> = roles.iter().filter_map(|role| Role::parse(role)).collect();
        roles.sort();
        roles.dedup();
        config.broadcast = roles;
    }
    if let Some(contacts) = given.all(CONTACTS) {
        let contacts = contacts.iter().filter(|text| !text.is_empty()).take(MAX_CONTACTS);
        let contacts = contacts.map(|text| BareJid::new(text).map(|jid| jid.as_str().to_owned()));
        config.contacts =
            contacts.collect::<Result<_, _>>().map_err(|_| not_acceptable("muc#roomconfig_contactjid: not an address"))?;
    }
    Ok(())
}

fn apply_numbers(config: &mut RoomConfig, given: &Submitted) -> Result<(), StanzaError> {
    let number = |var: &str| -> Result<Option<u32>, StanzaError> {
        match given.one(var) {
            None => Ok(None),
            Some("" | "none") => Ok(Some(0)),
            Some(text) => text.parse().map(Some).map_err(|_| not_acceptable("a number is none")),
        }
    };
    config.max_users = number(MAX_USERS)?.unwrap_or(config.max_users);
    config.history = number(HISTORY)?.unwrap_or(config.history).min(MAX_HISTORY);
    config.slow_mode = number(SLOW)?.unwrap_or(config.slow_mode).min(MAX_SLOW);
    if let Some(days) = number(RETENTION)? {
        config.retention = u64::from(days) * DAY;
    }
    Ok(())
}

fn apply_ours(config: &mut RoomConfig, given: &Submitted) -> Result<(), StanzaError> {
    if let Some(mode) = given.one(OCCUPANT_ID) {
        config.occupant_id = match mode {
            "stable" => IdMode::Stable,
            "nick" => IdMode::Nick,
            "off" => IdMode::Off,
            _ => return Err(not_acceptable("x-bocage#occupant_id: unknown value")),
        };
    }
    if let Some(shows) = given.all(SHOWS) {
        let has = |name: &str| shows.iter().any(|shown| shown == name);
        (config.show_caps, config.show_status, config.show_avatars) = (has("caps"), has("status"), has("avatar"));
    }
    Ok(())
}
