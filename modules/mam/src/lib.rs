//! Message Archive Management (XEP-0313 1.1.3) with preferences (XEP-0441) for accounts: what is kept, who may set that,
//! and what is found. Storing is core's, in the transaction that accepts a message.
//!
//! Everything expires with `retention.messages` (H01). Only the owner asks; to others the account answers as it does to
//! whatever they may not do (H49).
#![forbid(unsafe_code)]

mod data;
mod keep;
mod prefs;

use bocage_api::{
    Action, Archives, Archiving, Asker, BoxFuture, Checkpoints, Entity, Host, InstallError, IqKey, IqPayload, IqService, Module,
    Relation, Reply, StanzaError,
    archive::{DefaultPolicy, MamQuery, metadata, query_form},
    disco::Features,
    ns,
};
use jid::Jid;
use minidom::Element;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The module.
pub struct Mam;

/// `[modules.mam]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// What is archived for accounts that never said (XEP-0441): "always", "roster" (contacts alone) or "never".
    pub default_policy: DefaultPolicy,
    /// "drop" archives only messages that are encrypted end to end; "keep" archives all.
    pub plaintext: Plaintext,
}
impl Default for Config {
    fn default() -> Self {
        Self { default_policy: DefaultPolicy::Always, plaintext: Plaintext::Keep }
    }
}

/// What happens to messages that are not encrypted end to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Plaintext {
    /// They are archived like all.
    Keep,
    /// They are not archived.
    Drop,
}

impl Module for Mam {
    const NAME: &'static str = "mam";
    type Config = Config;
    type Needs = (Host, Archives, Archiving);

    fn install(config: Config, (host, archives, archiving): Self::Needs, at: &mut Checkpoints) -> Result<(), InstallError> {
        at.data(data::Archived { archives: archives.clone(), lifetime: host.message_retention });
        if host.message_retention.is_zero() {
            return Ok(());
        }
        at.recorder(keep::Keep { config: config.clone() });
        at.disco_entry(Features {
            server: &[ns::RETRACT],
            account: &[ns::MAM, ns::MAM_EXTENDED, ns::MAM_GROUPCHAT_FIELD, ns::SID, ns::RETRACT, ns::TOMBSTONE],
        });
        let service = Service { archives, archiving, default: config.default_policy };
        for (name, action) in [
            ("query", Action::Set),
            ("query", Action::Get),
            ("metadata", Action::Get),
            ("prefs", Action::Get),
            ("prefs", Action::Set),
        ] {
            for entity in [Entity::OwnAccount, Entity::OtherAccount] {
                at.iq_service(IqKey { entity, action, name, namespace: ns::MAM }, service.clone());
            }
        }
        Ok(())
    }
}

#[derive(Clone)]
struct Service {
    archives: Archives,
    archiving: Archiving,
    default: DefaultPolicy,
}

impl IqService for Service {
    fn answer(&self, asker: Asker, iq: IqPayload, reply: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        Box::pin(async move {
            if asker.relation != Relation::Owner {
                return Err(asker.relation.refusal());
            }
            match (iq.element.name(), iq.action) {
                ("query", Action::Set) => self.query(asker.jid, iq.element, &reply).await,
                ("query", Action::Get) => Ok(query_form()),
                ("metadata", _) => Ok(metadata(self.archives.bounds(&asker.jid.to_bare()).await?)),
                (_, Action::Get) => prefs::get(&self.archiving, &asker.jid.to_bare(), self.default).await,
                (_, Action::Set) => prefs::set(&self.archiving, &asker.jid.to_bare(), iq.element).await,
            }
            .map(Some)
        })
    }
}

impl Service {
    async fn query(&self, asker: Jid, query: Element, reply: &Reply) -> Result<Element, StanzaError> {
        let query = MamQuery::parse(query)?;
        if let Ok(session) = asker.try_as_full() {
            self.archiving.reads_archive(session);
        }
        query.serve(&*self.archives, &asker.to_bare(), asker, reply).await
    }
}

#[cfg(test)]
mod tests;
