//! One's own names, as others see them: for `bocage check`. Nothing here decides about a peer. What could not be asked
//! for stays an error, as everywhere in this crate.

use crate::{
    dns::{Dns, caa},
    name,
    order::Srv,
    settings::{DialFault, Settings},
    target::{Mode, Tlsa, Unreachable},
};
use std::net::IpAddr;

/// Labels that are looked at for CAA records, from the name upwards.
const ABOVE: usize = 12;

/// Looks.
pub struct Inspector {
    dns: Dns,
}

/// What SRV records of one service say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// The records. None: there are none.
    pub records: Vec<Place>,
    /// Whether that is proven by DNSSEC.
    pub secure: bool,
}

/// One SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The lower comes first.
    pub priority: u16,
    /// The target as A-labels; empty for ".", which says that there is no such service.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// A name with its addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Addresses; none when there are none.
    pub addresses: Vec<IpAddr>,
    /// Whether they are proven by DNSSEC.
    pub secure: bool,
    /// Where proven aliases lead: TLSA records are looked for there first (RFC 7671 section 7).
    pub alias: Option<String>,
}

/// One CAA record (RFC 8659 section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caa {
    /// "issue", "issuewild", "iodef" or another tag, in lower case.
    pub tag: String,
    /// The value, as text.
    pub value: String,
}

/// The CAA records that count for a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorisation {
    /// Whose they are: the name itself or the closest one above that has any.
    pub at: String,
    /// The records. None: any authority may issue.
    pub records: Vec<Caa>,
}

impl Inspector {
    /// Asks nobody anything yet.
    ///
    /// # Errors
    /// When there is no name server, or the trust anchors cannot be read.
    pub fn new(settings: &Settings) -> Result<Self, DialFault> {
        Ok(Self { dns: Dns::new(settings)? })
    }

    /// Whether the name servers deliver what DNSSEC needs. If not, nothing is proven and nothing is bogus.
    pub async fn is_validating(&self) -> bool {
        self.dns.is_validating().await
    }

    /// SRV records of `service` ("_xmpp-client") of `domain`.
    ///
    /// # Errors
    /// When nothing can be said.
    pub async fn service(&self, service: &str, domain: &str) -> Result<Service, Unreachable> {
        let domain = name::ascii(domain).ok_or(Unreachable::NotFound)?;
        // The mode is of no meaning here.
        let answer = self.dns.srv(&format!("{service}._tcp.{domain}"), Mode::Starttls).await?;
        let place = |srv: Srv| Place { priority: srv.priority, host: srv.host, port: srv.port };
        Ok(Service { records: answer.records.into_iter().map(place).collect(), secure: answer.secure })
    }

    /// Addresses of `host`.
    ///
    /// # Errors
    /// When nothing can be said; that there is none is no error.
    pub async fn host(&self, host: &str) -> Result<Host, Unreachable> {
        match self.dns.addresses(host).await {
            Ok(found) => Ok(Host { addresses: found.list, secure: found.secure, alias: found.alias }),
            Err(Unreachable::NotFound) => Ok(Host::default()),
            Err(cause) => Err(cause),
        }
    }

    /// TLSA records of the server at `host` and `port`; `None` in a zone that is provably unsigned.
    ///
    /// # Errors
    /// When nothing can be said.
    pub async fn tlsa(&self, host: &str, port: u16) -> Result<Option<Vec<Tlsa>>, Unreachable> {
        self.dns.tlsa(&format!("_{port}._tcp.{host}")).await
    }

    /// CAA records for `domain` (RFC 8659 section 3): its own, or those of the closest name above.
    ///
    /// # Errors
    /// When nothing can be said: authorities do not issue then either.
    pub async fn authorisation(&self, domain: &str) -> Result<Authorisation, Unreachable> {
        let domain = name::ascii(domain).ok_or(Unreachable::NotFound)?;
        let mut at = domain.as_str();
        for _ in 0..ABOVE {
            let records = caa(&self.dns, at).await?;
            if !records.is_empty() {
                return Ok(Authorisation { at: at.to_owned(), records });
            }
            let Some((_, above)) = at.split_once('.') else { break };
            at = above;
        }
        Ok(Authorisation::default())
    }
}
