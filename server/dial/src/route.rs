//! SRV records of both services become findings (RFC 6120, section 3.2; XEP-0368). A query that fails is not an empty
//! answer; a target of "." is a refusal.

use crate::{
    dane::Names,
    dns::{Dns, SrvAnswer},
    order::{Srv, order},
    plan::{PORT, Place},
    settings::Fill,
    target::{Mode, Unreachable},
};

/// A place, and how sure the way to it is.
pub(crate) struct Finding {
    pub(crate) place: Place,
    pub(crate) names: Names,
}

/// What one service's records say.
#[derive(Debug)]
pub(crate) enum Service {
    /// Records.
    Offered(Vec<Srv>),
    /// The only target is ".".
    Declined,
    /// No records; whether that is proven.
    Silent { secure: bool },
}

/// All findings.
pub(crate) struct Found {
    /// In the order to try.
    pub(crate) findings: Vec<Finding>,
    /// Whether these are proven, and there may be more: one service could not be asked for.
    pub(crate) partial: bool,
}

/// Where DNS says that `domain` is.
pub(crate) async fn found(dns: &Dns, domain: &str, fill: &Fill) -> Result<Found, Unreachable> {
    let names = [format!("_xmpps-server._tcp.{domain}"), format!("_xmpp-server._tcp.{domain}")];
    let [direct, starttls] = &names;
    let (direct, starttls) = futures_util::join!(dns.srv(direct, Mode::DirectTls), dns.srv(starttls, Mode::Starttls));
    let failed = direct.is_err() || starttls.is_err();
    let findings = match decide(direct.map(service), starttls.map(service))? {
        Decision::Records(records) => order(records, fill).into_iter().map(of_record).collect(),
        Decision::Domain { secure } => {
            let place = Place { host: domain.to_owned(), port: PORT, mode: Mode::Starttls };
            vec![Finding { place, names: if secure { Names::None } else { Names::Unproven } }]
        }
    };
    let partial = failed && findings.iter().any(|f| f.names == Names::Srv);
    Ok(Found { findings, partial })
}

/// What both services together lead to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// These.
    Records(Vec<Srv>),
    /// The domain itself; whether it is proven that there are no records.
    Domain { secure: bool },
}

type Heard = Result<Service, Unreachable>;

/// Decides. One bogus answer spoils both: who can forge one can suppress the other.
pub(crate) fn decide(direct: Heard, starttls: Heard) -> Result<Decision, Unreachable> {
    match (direct, starttls) {
        (Err(Unreachable::Bogus), _) | (_, Err(Unreachable::Bogus)) => Err(Unreachable::Bogus),
        (Ok(Service::Offered(mut all)), Ok(Service::Offered(more))) => {
            all.extend(more);
            Ok(Decision::Records(all))
        }
        (Ok(Service::Offered(records)), _) | (_, Ok(Service::Offered(records))) => Ok(Decision::Records(records)),
        (Err(cause), _) | (_, Err(cause)) => Err(cause),
        (_, Ok(Service::Declined)) => Err(Unreachable::NotFound),
        (Ok(Service::Declined), Ok(Service::Silent { secure })) => Ok(Decision::Domain { secure }),
        (Ok(Service::Silent { secure: one }), Ok(Service::Silent { secure: other })) => {
            Ok(Decision::Domain { secure: one && other })
        }
    }
}

fn service(answer: SrvAnswer) -> Service {
    if answer.records.is_empty() {
        return Service::Silent { secure: answer.secure };
    }
    let records: Vec<Srv> = answer.records.into_iter().filter(|r| !r.host.is_empty()).collect();
    if records.is_empty() { Service::Declined } else { Service::Offered(records) }
}

fn of_record(srv: Srv) -> Finding {
    let names = if srv.secure { Names::Srv } else { Names::Unproven };
    Finding { place: Place { host: srv.host, port: srv.port, mode: srv.mode }, names }
}
