//! Preferences as clients read and write them (XEP-0441).

use bocage_api::{
    Archiving, StanzaError,
    archive::{DefaultPolicy, MAX_LISTED, Preferences},
};
use jid::BareJid;
use minidom::Element;
use xmpp_parsers::mam_prefs::{DefaultPrefs, Prefs};

pub(crate) async fn get(archiving: &Archiving, owner: &BareJid, default: DefaultPolicy) -> Result<Element, StanzaError> {
    let preferences = archiving.preferences(owner).await?.unwrap_or_else(|| Preferences::new(default));
    Ok(element(preferences))
}

pub(crate) async fn set(archiving: &Archiving, owner: &BareJid, prefs: Element) -> Result<Element, StanzaError> {
    let prefs = Prefs::try_from(prefs).map_err(|_| StanzaError::bad_request())?;
    let mut preferences = Preferences {
        default: match prefs.default_ {
            DefaultPrefs::Always => DefaultPolicy::Always,
            DefaultPrefs::Roster => DefaultPolicy::Roster,
            DefaultPrefs::Never => DefaultPolicy::Never,
        },
        always: prefs.always,
        never: prefs.never,
    };
    for list in [&mut preferences.always, &mut preferences.never] {
        list.sort();
        list.dedup();
    }
    if preferences.always.len() + preferences.never.len() > MAX_LISTED {
        return Err(StanzaError::policy_violation());
    }
    archiving.set_preferences(owner, preferences.clone()).await?;
    Ok(element(preferences))
}

fn element(preferences: Preferences) -> Element {
    let default_ = match preferences.default {
        DefaultPolicy::Always => DefaultPrefs::Always,
        DefaultPolicy::Roster => DefaultPrefs::Roster,
        DefaultPolicy::Never => DefaultPrefs::Never,
    };
    Prefs { default_, always: preferences.always, never: preferences.never }.into()
}
