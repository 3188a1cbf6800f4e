//! Questions to the name servers. An answer is records and whether DNSSEC proves them; none is an answer too. What is
//! neither proven nor provably unsigned is an error.

mod build;
mod chain;
mod proof;
mod root;

use crate::{
    Caa,
    connect::{ADDRESSES, in_turns, usable},
    name,
    order::Srv,
    settings::{DialFault, Settings},
    target::{Mode, Tlsa, Unreachable},
};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use proof::{Answer, Judging, judge};
use root::Root;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// SRV records of one service. The target "." is an empty host.
pub(crate) struct SrvAnswer {
    pub(crate) records: Vec<Srv>,
    pub(crate) secure: bool,
}

/// Addresses of one host, never none.
#[derive(Debug)]
pub(crate) struct Addresses {
    pub(crate) list: Vec<IpAddr>,
    pub(crate) secure: bool,
    /// The host that proven aliases lead to.
    pub(crate) alias: Option<String>,
}

/// The name servers.
pub(crate) struct Dns {
    root: Root,
}

impl Dns {
    pub(crate) fn new(settings: &Settings) -> Result<Self, DialFault> {
        Ok(Self { root: Root::new(build::Recipe::new(settings)?)? })
    }

    /// Whether DNSSEC is judged.
    pub(crate) async fn is_validating(&self) -> bool {
        self.root.is_proven().await
    }

    /// SRV records at `name`.
    pub(crate) async fn srv(&self, name: &str, mode: Mode) -> Result<SrvAnswer, Unreachable> {
        let answer = self.ask(name, RecordType::SRV).await?;
        let secure = answer.secure;
        let record = |data| match data {
            RData::SRV(srv) => {
                Some(Srv { priority: srv.priority, weight: srv.weight, host: host(&srv.target), port: srv.port, mode, secure })
            }
            _ => None,
        };
        Ok(SrvAnswer { records: answer.records.into_iter().filter_map(record).collect(), secure })
    }

    /// Addresses of `host`. Where one family fails, a proven answer about the other will do.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Addresses, Unreachable> {
        if let Some(list) = known(host) {
            return if list.is_empty() { Err(Unreachable::NotFound) } else { Ok(Addresses { list, secure: false, alias: None }) };
        }
        let (v6, v4) = futures_util::join!(self.ask(host, RecordType::AAAA), self.ask(host, RecordType::A));
        both(v6, v4)
    }

    /// Proven TLSA records at `name`; none if there provably are none, or the zone is provably unsigned.
    pub(crate) async fn tlsa(&self, name: &str) -> Result<Option<Vec<Tlsa>>, Unreachable> {
        let answer = self.ask(name, RecordType::TLSA).await?;
        let record = |data| match data {
            RData::TLSA(tlsa) => Some(Tlsa {
                usage: tlsa.cert_usage.into(),
                selector: tlsa.selector.into(),
                matching: tlsa.matching.into(),
                data: tlsa.cert_data,
            }),
            _ => None,
        };
        Ok(answer.secure.then(|| answer.records.into_iter().filter_map(record).collect()))
    }

    async fn ask(&self, text: &str, kind: RecordType) -> Result<Answer, Unreachable> {
        let mut name = Name::from_ascii(text).map_err(|_| Unreachable::NotFound)?;
        name.set_fqdn(true);
        let (resolver, judging) = self.root.resolver().await?;
        if judging == Judging::Proofs && !name::is_special(text) {
            return chain::ask(&resolver, &name, kind).await;
        }
        // The resolver answers for special names itself, and proves nothing.
        judge(resolver.lookup(name.clone(), kind).await, &name, kind, Judging::Nothing)
    }
}

/// CAA records at `name` itself.
pub(crate) async fn caa(dns: &Dns, name: &str) -> Result<Vec<Caa>, Unreachable> {
    let answer = dns.ask(name, RecordType::CAA).await?;
    let record = |data| match data {
        RData::CAA(caa) => {
            Some(Caa { tag: caa.tag.to_ascii_lowercase(), value: String::from_utf8_lossy(&caa.value).into_owned() })
        }
        _ => None,
    };
    Ok(answer.records.into_iter().filter_map(record).collect())
}

/// Joins the answers of the families.
fn both(v6: Result<Answer, Unreachable>, v4: Result<Answer, Unreachable>) -> Result<Addresses, Unreachable> {
    let failure = match (&v6, &v4) {
        (Err(Unreachable::Bogus), _) | (_, Err(Unreachable::Bogus)) => Some(Unreachable::Bogus),
        (Err(cause), _) | (_, Err(cause)) => Some(*cause),
        _ => None,
    };
    let heard: Vec<Answer> = [v6, v4].into_iter().flatten().filter(|a| !a.records.is_empty()).collect();
    let secure = !heard.is_empty() && heard.iter().all(|a| a.secure);
    match failure {
        Some(Unreachable::Bogus) if !secure => return Err(Unreachable::Bogus),
        Some(cause) if heard.is_empty() => return Err(cause),
        _ => {}
    }
    let alias = heard.first().filter(|_| secure).and_then(|a| a.alias.as_ref()).map(host).filter(|h| !h.is_empty());
    let all: Vec<IpAddr> = heard.into_iter().flat_map(|a| a.records).filter_map(address).collect();
    let (v6, v4) = all.into_iter().partition(IpAddr::is_ipv6);
    let list = in_turns(v6, v4);
    if list.is_empty() { Err(Unreachable::NotFound) } else { Ok(Addresses { list, secure, alias }) }
}

fn address(data: RData) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    }
}

/// What nobody needs to be asked for.
fn known(host: &str) -> Option<Vec<IpAddr>> {
    if let Some(ip) = name::ip(host) {
        return Some(Some(ip).into_iter().filter(usable).collect());
    }
    if name::is_onion(host) {
        return Some(Vec::new());
    }
    let local = || in_turns(vec![Ipv6Addr::LOCALHOST.into()], vec![Ipv4Addr::LOCALHOST.into()]);
    name::is_localhost(host).then(local)
}

/// A host name as this crate writes them; empty for the root and for what is no host name.
fn host(name: &Name) -> String {
    name::ascii(&name.to_ascii()).filter(|text| name::ip(text).is_none()).unwrap_or_default()
}

const _: () = assert!(ADDRESSES > 1, "both families have a place");
