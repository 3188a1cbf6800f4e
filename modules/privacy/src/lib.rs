//! The command "Privacy": what is kept of one's messages, for how long, and its deletion (H01, H05).
//!
//! A command is asked again with all that was submitted: first what to do, then what that needs to know.
#![forbid(unsafe_code)]

mod deletion;
mod settings;

use bocage_api::{
    Archives, Archiving, BoxFuture, Checkpoints, Clock, Command, Host, InstallError, Module, StanzaError,
    clock::stamp,
    commands::{CommandCall, CommandCaller, CommandStep, Lang, bad_payload, fixed, form, list},
    config::NoSettings,
    store::{DefaultPolicy, Preferences},
};
use jid::BareJid;
use std::time::Duration;

/// The module.
pub struct Privacy;

impl Module for Privacy {
    const NAME: &'static str = "privacy";
    type Config = NoSettings;
    type Needs = (Host, Clock, Archives, Archiving);

    fn install(_: NoSettings, (host, clock, archives, archiving): Self::Needs, at: &mut Checkpoints) -> Result<(), InstallError> {
        at.command(PrivacyCommand { host, clock, archives, archiving });
        Ok(())
    }
}

struct PrivacyCommand {
    host: Host,
    clock: Clock,
    archives: Archives,
    archiving: Archiving,
}

/// What can be done; the values of the first form.
const PERIOD: &str = "period";
const POLICY: &str = "policy";
const ALL: &str = "delete-all";
const ONE: &str = "delete-one";
const BEFORE: &str = "delete-before";

impl Command for PrivacyCommand {
    fn node(&self) -> &'static str {
        "privacy"
    }
    fn title(&self, lang: Lang) -> &'static str {
        lang.pick("Privacy", "Confidentialité")
    }
    fn allowed(&self, who: &CommandCaller) -> bool {
        who.account().is_some_and(|account| account.domain() == &*self.host.domain)
    }
    fn step<'a>(&'a self, call: &'a CommandCall) -> BoxFuture<'a, Result<CommandStep, StanzaError>> {
        Box::pin(async {
            let owner = call.who.account().ok_or_else(StanzaError::forbidden)?;
            let Some(first) = call.answers.first() else { return self.begin(&owner, call.lang).await };
            let asked = call.answers.get(1);
            match first.one("action") {
                Some(PERIOD) => self.period(&owner, (asked, call.lang)).await,
                Some(POLICY) => self.policy(&owner, (asked, call.lang)).await,
                Some(ALL) => self.delete_all(&owner, (asked, call.lang)).await,
                Some(ONE) => self.delete_one(&owner, (asked, call.lang)).await,
                Some(BEFORE) => self.delete_before(&owner, (asked, call.lang)).await,
                _ => Err(bad_payload()),
            }
        })
    }
}

impl PrivacyCommand {
    /// What is kept now, and what may be done.
    async fn begin(&self, owner: &BareJid, lang: Lang) -> Result<CommandStep, StanzaError> {
        let keeps = self.archives.keeps(owner).await?;
        let oldest = self.archives.bounds(owner).await?.map(|(first, _)| first.stamp);
        let now = [
            lang.pick("Messages are kept for: ", "Durée de conservation des messages : ").to_owned() + &days(keeps, lang),
            lang.pick("Archived: ", "Archivés : ").to_owned() + policy_name(self.preferences(owner).await?.default, lang),
            match oldest {
                Some(oldest) => {
                    lang.pick("The oldest message is of ", "Le plus ancien message est du ").to_owned() + day(&stamp(oldest))
                }
                None => lang.pick("The archive is empty.", "L’archive est vide.").to_owned(),
            },
        ];
        let actions = [
            (PERIOD, lang.pick("Keep messages for a shorter time", "Garder les messages moins longtemps")),
            (POLICY, lang.pick("Choose what is archived from now on", "Choisir ce qui est archivé désormais")),
            (ALL, lang.pick("Delete the whole archive", "Effacer toute l’archive")),
            (ONE, lang.pick("Delete what was exchanged with one address", "Effacer les échanges avec une adresse")),
            (BEFORE, lang.pick("Delete everything from before a day", "Effacer tout ce qui précède un jour")),
        ];
        let mut fields: Vec<_> = now.iter().map(|line| fixed(line)).collect();
        fields.push(list("action", lang.pick("What to do", "Que faire"), (&actions, PERIOD)));
        let about = lang.pick("What the server keeps of your messages.", "Ce que le serveur garde de vos messages.");
        Ok(CommandStep::more(form(self.title(lang), about, fields)))
    }

    async fn preferences(&self, owner: &BareJid) -> Result<Preferences, StanzaError> {
        Ok(self.archiving.preferences(owner).await?.unwrap_or_else(|| Preferences::new(DefaultPolicy::Always)))
    }
}

/// The day of a stamp.
fn day(stamp: &str) -> &str {
    stamp.split('T').next().unwrap_or(stamp)
}

/// A period for people: whole days, hours below one.
fn days(period: Duration, lang: Lang) -> String {
    let hours = period.as_secs() / 3_600;
    match (hours / 24, hours) {
        (0, hours) => format!("{hours} {}", lang.pick("hours", "heures")),
        (1, _) => lang.pick("1 day", "1 jour").to_owned(),
        (days, _) => format!("{days} {}", lang.pick("days", "jours")),
    }
}

fn policy_name(policy: DefaultPolicy, lang: Lang) -> &'static str {
    match policy {
        DefaultPolicy::Always => lang.pick("all messages", "tous les messages"),
        DefaultPolicy::Roster => lang.pick("messages exchanged with contacts", "les échanges avec les contacts"),
        DefaultPolicy::Never => lang.pick("none", "aucun"),
    }
}

#[cfg(test)]
mod tests;
