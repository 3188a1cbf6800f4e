//! For how long messages are kept, and which ones are.

use super::{PrivacyCommand, days, policy_name};
use bocage_api::{
    Command, StanzaError,
    commands::{Answers, CommandStep, Lang, bad_payload, form, list},
    store::{DefaultPolicy, Preferences},
};
use jid::BareJid;
use std::time::Duration;

const DAY: u64 = 86_400;
/// Periods that are offered, in days, as far as they are shorter than the server's.
const PERIODS: [u64; 7] = [1, 2, 3, 7, 14, 31, 92];
/// As long as the server keeps them.
const SERVER: &str = "server";

impl PrivacyCommand {
    pub(super) async fn period(
        &self,
        owner: &BareJid,
        (asked, lang): (Option<&Answers>, Lang),
    ) -> Result<CommandStep, StanzaError> {
        let most = self.host.message_retention;
        let shorter: Vec<u64> = PERIODS.into_iter().filter(|period| Duration::from_secs(period * DAY) < most).collect();
        let Some(asked) = asked else { return Ok(self.which_period(&shorter, (most, lang))) };
        let keeps = match asked.one("period").ok_or_else(bad_payload)? {
            SERVER => None,
            period => {
                let period = period.parse::<u64>().ok().filter(|period| shorter.contains(period)).ok_or_else(bad_payload)?;
                Some(Duration::from_secs(period * DAY))
            }
        };
        self.archives.set_keeps(owner, keeps).await?;
        let now = days(keeps.unwrap_or(most), lang);
        Ok(CommandStep::done(match lang {
            Lang::En => format!("Your messages are now kept for {now}. What is older is gone."),
            Lang::Fr => format!("Vos messages sont désormais gardés {now}. Ce qui est plus ancien a disparu."),
        }))
    }

    fn which_period(&self, shorter: &[u64], (most, lang): (Duration, Lang)) -> CommandStep {
        let mut options: Vec<(String, String)> =
            shorter.iter().map(|period| (period.to_string(), days(Duration::from_secs(period * DAY), lang))).collect();
        let label = lang.pick("as long as the server does", "aussi longtemps que le serveur");
        options.push((SERVER.to_owned(), format!("{label} ({})", days(most, lang))));
        let options: Vec<(&str, &str)> = options.iter().map(|(value, label)| (value.as_str(), label.as_str())).collect();
        let about = lang.pick(
            "What is older than the new period goes at once, on all devices that read the archive.",
            "Ce qui dépasse la nouvelle durée disparaît aussitôt, pour tous les appareils qui lisent l’archive.",
        );
        let field = list("period", lang.pick("Keep messages for", "Garder les messages"), (&options, SERVER));
        CommandStep::last(form(self.title(lang), about, vec![field]))
    }

    pub(super) async fn policy(
        &self,
        owner: &BareJid,
        (asked, lang): (Option<&Answers>, Lang),
    ) -> Result<CommandStep, StanzaError> {
        let before = self.preferences(owner).await?;
        let all = [("always", DefaultPolicy::Always), ("roster", DefaultPolicy::Roster), ("never", DefaultPolicy::Never)];
        let Some(asked) = asked else {
            let options = all.map(|(value, policy)| (value, policy_name(policy, lang)));
            let chosen = all.iter().find(|(_, policy)| *policy == before.default).map_or("always", |(value, _)| value);
            let about = lang.pick(
                "Addresses for which your programs set something else keep it. What is archived already stays.",
                "Les adresses pour lesquelles vos logiciels ont un autre réglage le gardent. Ce qui est archivé le reste.",
            );
            let field = list("policy", lang.pick("Archive", "Archiver"), (&options, chosen));
            return Ok(CommandStep::last(form(self.title(lang), about, vec![field])));
        };
        let wanted = asked.one("policy");
        let (_, policy) = all.into_iter().find(|(value, _)| wanted == Some(value)).ok_or_else(bad_payload)?;
        self.archiving.set_preferences(owner, Preferences { default: policy, ..before }).await?;
        let name = policy_name(policy, lang);
        Ok(CommandStep::done(match lang {
            Lang::En => format!("Archived from now on: {name}."),
            Lang::Fr => format!("Archivés désormais : {name}."),
        }))
    }
}
