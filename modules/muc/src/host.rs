//! The name of the host of rooms.

use bocage_api::InstallError;
use jid::DomainPart;

/// An empty setting means the default, so that a config can name it without repeating it.
pub(crate) fn of_rooms(setting: &str, domain: &DomainPart) -> Result<DomainPart, InstallError> {
    let default = crate::Config::default().host;
    let setting = if setting.is_empty() { &default } else { setting };
    let name = setting.replace("{domain}", domain.as_str());
    let rooms =
        DomainPart::new(&name).map_err(|_| InstallError::new(format!("host is \"{setting}\", which is no domain name")))?;
    if *rooms == **domain {
        return Err(InstallError::new(format!(
            "host is \"{setting}\", but that is where the accounts are: rooms need a name of their own"
        )));
    }
    Ok(rooms.into_owned())
}

#[cfg(test)]
mod tests {
    use crate::{Config, Muc};
    use bocage_api::{
        DiscoPart, DiscoTarget,
        testing::{FakeHost, xml},
    };

    fn named(host: &str) -> Result<String, String> {
        let installed = FakeHost::new().try_install::<Muc>(Config { host: host.into(), ..Config::default() });
        installed.map(|at| at.at.domain_services[0].0.clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_host_is_named_after_the_domain_and_never_the_domain_itself() {
        assert_eq!(named(&Config::default().host).unwrap(), "salons.bocage.example");
        assert_eq!(named("").unwrap(), "salons.bocage.example");
        assert_eq!(named("rooms.other.example").unwrap(), "rooms.other.example");
        assert!(named("{domain}").unwrap_err().contains("a name of their own"));
        assert_eq!(named("no domain").unwrap_err(), "host is \"no domain\", which is no domain name");
    }

    #[test]
    fn the_server_lists_it() {
        let host = FakeHost::new();
        let at = host.install::<Muc>();
        let items = at.disco(&DiscoTarget::Server(host.host.domain.clone())).items();
        let expected = "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='salons.bocage.example'/></query>";
        assert_eq!(items, xml(expected));
        assert_eq!(at.disco(&DiscoTarget::Account), DiscoPart::default());
    }
}
