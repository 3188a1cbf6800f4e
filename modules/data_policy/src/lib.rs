//! Data policy (XEP-0504 0.1): the server says what it keeps, for how long and who can see it, from the configuration
//! that runs (H10). In the information of the server and of each of its services.
#![forbid(unsafe_code)]

use bocage_api::{Checkpoints, DiscoEntry, DiscoPart, DiscoTarget, Host, InstallError, Module, dep::rxml::xml_ncname, ns};
use minidom::Element;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The module.
pub struct DataPolicy;

/// `[modules.data_policy]`
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Where the terms of the service are (an address like "https://village.example/terms"); empty for none.
    pub terms: String,
    /// Hours between two backups of the data directory at most; 0 for no backups. The keys are in none of them.
    pub backup_every_hours: u32,
    /// Hours that a backup is kept; 0 for no backups.
    pub backup_kept_hours: u32,
}

impl Module for DataPolicy {
    const NAME: &'static str = "data_policy";
    type Config = Config;
    type Needs = (Host,);

    fn install(config: Config, (host,): Self::Needs, at: &mut Checkpoints) -> Result<(), InstallError> {
        if (config.backup_every_hours == 0) != (config.backup_kept_hours == 0) {
            return Err(InstallError::new("backup_every_hours and backup_kept_hours are both 0, or neither is"));
        }
        at.disco_entry(Policy {
            accounts: host.message_retention.max(host.offline_retention),
            rooms: host.room_retention,
            config,
        });
        Ok(())
    }
}

struct Policy {
    accounts: Duration,
    rooms: Duration,
    config: Config,
}

impl DiscoEntry for Policy {
    fn disco(&self, target: &DiscoTarget) -> DiscoPart {
        let kept = match target {
            DiscoTarget::Server(_) => self.accounts,
            DiscoTarget::Host(_) => self.rooms,
            DiscoTarget::Account => return DiscoPart::default(),
        };
        DiscoPart { forms: vec![self.form(kept)], ..DiscoPart::features([ns::DATA_POLICY]) }
    }
}

impl Policy {
    fn form(&self, kept: Duration) -> Element {
        let mut fields = vec![
            field("FORM_TYPE", "hidden", &[ns::DATA_POLICY]),
            field("auth_data", "list-single", &["hidden"]),
            field("data_retention", "text-single", &[&hours(kept).to_string()]),
            field("data_deletion", "boolean", &["true"]),
            field("encryption_at_rest", "boolean", &["true"]),
            // Who runs a server can change it: no promise is made that a program could not keep.
            field("access_policy", "list-multi", &["admins"]),
            field("backup_frequency", "text-single", &[&self.config.backup_every_hours.to_string()]),
            field("backup_retention", "text-single", &[&self.config.backup_kept_hours.to_string()]),
        ];
        if !self.config.terms.is_empty() {
            fields.push(field("tos", "text-single", &[&self.config.terms]));
        }
        Element::builder("x", ns::DATA_FORMS).attr(xml_ncname!("type").to_owned(), "result").append_all(fields).build()
    }
}

/// Rounded up: nothing is kept longer than what is said.
fn hours(period: Duration) -> u64 {
    period.as_secs().div_ceil(3600)
}

fn field(var: &str, kind: &str, values: &[&str]) -> Element {
    let value = |value: &&str| Element::builder("value", ns::DATA_FORMS).append(*value).build();
    Element::builder("field", ns::DATA_FORMS)
        .attr(xml_ncname!("var").to_owned(), var)
        .attr(xml_ncname!("type").to_owned(), kind)
        .append_all(values.iter().map(value))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::testing::{FakeHost, Installed};

    fn says(at: &Installed, target: &DiscoTarget, var: &str) -> Option<String> {
        let form = at.disco(target).forms.into_iter().next()?;
        let found = form.children().find(|field| field.attr(xml_ncname!("var")) == Some(var))?;
        found.get_child("value", ns::DATA_FORMS).map(Element::text)
    }

    #[test]
    fn h10_the_policy_is_that_of_the_configuration() {
        let mut host = FakeHost::new();
        host.host.message_retention = Duration::from_secs(2 * 86_400);
        host.host.offline_retention = Duration::from_secs(86_400 + 1);
        host.host.room_retention = Duration::from_secs(3600 + 1);
        let (server, rooms) = (DiscoTarget::Server(host.host.domain.clone()), DiscoTarget::Host(host.host.domain.clone()));
        let at = host.install::<DataPolicy>();
        assert!(at.disco(&server).features.contains(ns::DATA_POLICY));
        assert_eq!(says(&at, &server, "FORM_TYPE").as_deref(), Some(ns::DATA_POLICY));
        assert_eq!(says(&at, &server, "data_retention").as_deref(), Some("48"));
        assert_eq!(says(&at, &rooms, "data_retention").as_deref(), Some("2"));
        assert_eq!(says(&at, &server, "encryption_at_rest").as_deref(), Some("true"));
        assert_eq!(says(&at, &server, "tos"), None);
        assert!(at.disco(&DiscoTarget::Account).forms.is_empty());
        let config = Config { terms: "https://x.example/t".into(), backup_every_hours: 24, backup_kept_hours: 720 };
        let at = host.try_install::<DataPolicy>(config).unwrap();
        assert_eq!(says(&at, &server, "tos").as_deref(), Some("https://x.example/t"));
        assert_eq!(says(&at, &server, "backup_retention").as_deref(), Some("720"));
        assert!(host.try_install::<DataPolicy>(Config { backup_every_hours: 1, ..Config::default() }).is_err());
    }
}
