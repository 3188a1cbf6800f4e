//! The public face: it decides the way and hands over.

use crate::{
    connect,
    dane::{self, Names},
    dns::Dns,
    name,
    order::TARGETS,
    plan::{Place, Plan, Proxied, plan},
    route::{Finding, Found, found},
    settings::{DialFault, Fill, Peer, Settings},
    socks::Proxy,
    target::{Dane, Target, Unreachable},
};
use futures_util::{StreamExt, stream};
use std::collections::HashMap;
use tokio::net::TcpStream;

/// Targets of one domain that are asked about at once.
const AT_ONCE: usize = 4;

/// How the way to a target is known, and what was found there.
type Outcome = (Names, Result<Target, Unreachable>);

/// Finds and reaches other servers.
pub struct Dialer {
    dns: Dns,
    proxy: Option<Proxy>,
    peers: HashMap<String, Peer>,
    fill: Fill,
}

impl Dialer {
    /// A dialer. Asks nobody anything yet.
    pub fn new(settings: Settings, fill: Fill) -> Result<Self, DialFault> {
        let peers = settings.by_domain()?;
        let proxy = settings.proxy()?.map(|address| Proxy::new(address, &fill));
        Ok(Self { dns: Dns::new(&settings)?, proxy, peers, fill })
    }

    /// Where `domain` can be reached, in the order to try (RFC 6120, section 3.2; XEP-0368). Never empty: targets whose
    /// addresses cannot be had are left out, and if there are no others, the worst cause is returned.
    pub async fn route(&self, domain: &str) -> Result<Vec<Target>, Unreachable> {
        let mut targets = Vec::new();
        let mut worst = Unreachable::NotFound;
        for (_, outcome) in self.outcomes(domain).await? {
            match outcome {
                Ok(target) => targets.push(target),
                Err(cause) => worst = worse(worst, cause),
            }
        }
        if targets.is_empty() { Err(worst) } else { Ok(targets) }
    }

    /// A connection to `target`, which [`Self::route`] has given for `domain`. Nothing has been proven by it.
    pub async fn connect(&self, domain: &str, target: &Target) -> Result<TcpStream, Unreachable> {
        let domain = name::ascii(domain).ok_or(Unreachable::NotFound)?;
        let proxied = matches!(self.plan(&domain)?, Plan::Proxy(_)) || name::is_onion(&target.host);
        let stream = match &self.proxy {
            Some(proxy) if proxied => proxy.connect(&domain, &target.host, target.port).await?,
            None if proxied => return Err(Unreachable::NotFound),
            _ => connect::direct(self.dns.addresses(&target.host).await?.list, target.port).await?,
        };
        stream.set_nodelay(true).map_err(|_| Unreachable::Refused)?;
        Ok(stream)
    }

    /// What DNS says about the certificate of `domain`, which has come to us: the records of all its targets together.
    /// A target about which nothing can be found out is bogus here: it may be the one that has records.
    pub async fn evidence(&self, domain: &str) -> Dane {
        if !self.dns.is_validating().await {
            return Dane::Absent;
        }
        let of = |(names, outcome): Outcome| outcome.map_or_else(|cause| dane::of_failure(cause, names), |target| target.dane);
        match self.outcomes(domain).await {
            Ok(outcomes) => dane::union(outcomes.into_iter().map(of)),
            Err(cause) => dane::of_failure(cause, Names::Srv),
        }
    }

    fn plan(&self, domain: &str) -> Result<Plan, Unreachable> {
        let proxied = if self.proxy.is_some() { Proxied::Possible } else { Proxied::Impossible };
        plan(domain, &self.peers, proxied)
    }

    /// Each place, with what DNSSEC says of it.
    async fn outcomes(&self, domain: &str) -> Result<Vec<Outcome>, Unreachable> {
        let Found { findings, partial } = match self.plan(domain)? {
            Plan::Proxy(place) => return Ok(vec![(Names::Unproven, Ok(target(place, Dane::Absent)))]),
            Plan::Fixed(place) => Found { findings: vec![Finding { place, names: Names::Configured }], partial: false },
            Plan::Lookup(domain) => found(&self.dns, &domain, &self.fill).await?,
        };
        let weighed = stream::iter(findings.into_iter().take(TARGETS)).map(async |finding| {
            let names = finding.names;
            (names, self.weigh_one(finding).await)
        });
        let mut outcomes: Vec<Outcome> = weighed.buffered(AT_ONCE).collect().await;
        if partial {
            outcomes.push((Names::Srv, Err(Unreachable::TimedOut)));
        }
        Ok(outcomes)
    }

    async fn weigh_one(&self, finding: Finding) -> Result<Target, Unreachable> {
        let Finding { place, names } = finding;
        if name::is_onion(&place.host) {
            // An SRV record of an ordinary domain may lead there.
            return if self.proxy.is_some() { Ok(target(place, Dane::Absent)) } else { Err(Unreachable::NotFound) };
        }
        let dane = dane::of(&self.dns, &place.host, place.port, names).await?;
        Ok(target(place, dane))
    }
}

fn target(place: Place, dane: Dane) -> Target {
    Target { host: place.host, port: place.port, mode: place.mode, dane }
}

/// What is told of several failures.
fn worse(one: Unreachable, other: Unreachable) -> Unreachable {
    let rank = |cause| match cause {
        Unreachable::NotFound => 0,
        Unreachable::Refused | Unreachable::Proxy => 1,
        Unreachable::TimedOut => 2,
        Unreachable::Bogus => 3,
    };
    if rank(other) > rank(one) { other } else { one }
}
