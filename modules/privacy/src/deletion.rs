//! Deletion by the user (H05), and what it cannot reach, said in the answer.

use super::PrivacyCommand;
use bocage_api::{
    Command, StanzaError,
    clock::UnixSeconds,
    commands::{Answers, CommandStep, Lang, bad_payload, form, text, yes_no},
    store::Scope,
};
use jid::{BareJid, Jid};

impl PrivacyCommand {
    pub(super) async fn delete_all(
        &self,
        owner: &BareJid,
        (asked, lang): (Option<&Answers>, Lang),
    ) -> Result<CommandStep, StanzaError> {
        let Some(asked) = asked else {
            let about = lang.pick(
                "Everything that is archived for you here is destroyed. It cannot be brought back.",
                "Tout ce qui est archivé ici pour vous est détruit. Rien ne peut le faire revenir.",
            );
            let field = yes_no("sure", lang.pick("Delete the whole archive", "Effacer toute l’archive"), false);
            return Ok(CommandStep::last(form(self.title(lang), about, vec![field])));
        };
        if !asked.is_set("sure") {
            return Ok(CommandStep::failed(lang.pick("Nothing was deleted.", "Rien n’a été effacé.")));
        }
        self.archives.erase(owner, Scope::Whole).await?;
        Ok(CommandStep::done(lang.pick(
            "Your archive is empty, and old backups do not bring it back. Your devices, and those of the people you wrote \
             to, keep what they have.",
            "Votre archive est vide, et aucune ancienne sauvegarde ne la fait revenir. Vos appareils, et ceux des personnes \
             à qui vous avez écrit, gardent ce qu’ils ont.",
        )))
    }

    pub(super) async fn delete_one(
        &self,
        owner: &BareJid,
        (asked, lang): (Option<&Answers>, Lang),
    ) -> Result<CommandStep, StanzaError> {
        let Some(asked) = asked else {
            let field = text("jid", lang.pick("Address", "Adresse"), "");
            let about = lang.pick(
                "Everything exchanged with this address is deleted from your archive.",
                "Tous les échanges avec cette adresse sont effacés de votre archive.",
            );
            return Ok(CommandStep::last(form(self.title(lang), about, vec![field])));
        };
        let with = Jid::new(asked.one("jid").ok_or_else(bad_payload)?).map_err(|_| bad_payload())?.to_bare();
        let rows = self.archives.erase(owner, Scope::With(with)).await?;
        Ok(CommandStep::done(match lang {
            Lang::En => format!(
                "Deleted: {rows} messages. In old backups of the server this takes effect when the keys of their days \
                 expire, at the end of the period for which messages are kept."
            ),
            Lang::Fr => format!(
                "Effacés : {rows} messages. Dans les anciennes sauvegardes du serveur, cela prend effet quand les clés de \
                 leurs jours expirent, à la fin de la durée de conservation."
            ),
        }))
    }

    pub(super) async fn delete_before(
        &self,
        owner: &BareJid,
        (asked, lang): (Option<&Answers>, Lang),
    ) -> Result<CommandStep, StanzaError> {
        let Some(asked) = asked else {
            let today = bocage_api::clock::stamp(self.clock.wall());
            let field = text("day", lang.pick("Day (YYYY-MM-DD, UTC)", "Jour (AAAA-MM-JJ, UTC)"), super::day(&today));
            let about = lang.pick("Everything from before this day is destroyed.", "Tout ce qui précède ce jour est détruit.");
            return Ok(CommandStep::last(form(self.title(lang), about, vec![field])));
        };
        let before = asked.one("day").and_then(midnight).ok_or_else(bad_payload)?;
        let rows = self.archives.erase(owner, Scope::Before(before)).await?;
        Ok(CommandStep::done(match lang {
            Lang::En => format!("Deleted: {rows} messages. Old backups do not bring them back."),
            Lang::Fr => format!("Effacés : {rows} messages. Aucune ancienne sauvegarde ne les fait revenir."),
        }))
    }
}

/// The first second of a day (UTC).
fn midnight(day: &str) -> Option<UnixSeconds> {
    let date: jiff::civil::Date = day.parse().ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight() {
        assert_eq!(midnight("2023-11-14"), Some(1_699_920_000));
        assert_eq!(midnight("14.11.2023"), None);
        assert_eq!(midnight("2023-02-30"), None);
    }
}
