//! The stream over TLS: header, authentication (SASL or SASL2), binding (by iq or Bind 2).

use super::{Login, MAX_DELAY, Next, Ready, Talk, bind, fast, inline, resume};
use crate::{
    c2s::CSI,
    hidden::Hidden,
    router::Client,
    sm,
    stream::talk::{Fault, features},
};
use bocage_sasl as sasl;
use bocage_stream::{CheckedHeader, Condition, StreamError};
use jid::{BareJid, NodePart};
use minidom::Element;
use std::net::IpAddr;

/// Keys that were looked up for the features already.
type Known = Option<(NodePart, Option<sasl::Credentials>)>;

pub(super) async fn session(login: &Login, talk: &mut Talk, peer: IpAddr) -> Result<Ready, Fault> {
    let header = open(login, talk).await?;
    let authenticated = authenticate(login, talk, &header, peer).await?;
    let account = BareJid::from_parts(Some(&authenticated.username), &header.to);
    match authenticated.flavour {
        sasl::Flavour::Sasl1 => by_sasl1(login, talk, &account, &authenticated).await,
        sasl::Flavour::Sasl2 => by_sasl2(login, talk, (&account, header.lang), &authenticated).await,
    }
}

async fn open(login: &Login, talk: &mut Talk) -> Result<CheckedHeader, Fault> {
    let header = talk.header().await?.check(|host| login.serves(host))?;
    let to = header.from.as_ref().map(|from| from.to_bare());
    let id = login.router.entropy.id();
    talk.open(header.to.as_str(), to.as_ref().map(|to| to.as_str()), Some(&id));
    Ok(header)
}

/// RFC 6120 section 6: the stream restarts, then a resource is bound by iq.
async fn by_sasl1(
    login: &Login,
    talk: &mut Talk,
    account: &BareJid,
    authenticated: &sasl::Authenticated,
) -> Result<Ready, Fault> {
    talk.say(&authenticated.success(granted(account.clone().into(), None, Vec::new())));
    talk.flush().await?;
    talk.restart();
    let header = open(login, talk).await?;
    if header.to.as_str() != account.domain().as_str() {
        return Err(StreamError::from(Condition::HostUnknown).into());
    }
    bind_by_iq(login, talk, (account, header.lang), fast::client(login, authenticated)).await
}

/// XEP-0388: features follow at once, without a restart; what was asked for inline is done in the same step.
async fn by_sasl2(
    login: &Login,
    talk: &mut Talk,
    (account, lang): (&BareJid, Option<String>),
    authenticated: &sasl::Authenticated,
) -> Result<Ready, Fault> {
    let mut answers = Vec::from_iter(fast::token(login, account, authenticated, &bindings(talk)));
    match resume::inline(login, account, &authenticated.inline).await? {
        None => {}
        Some(Ok(resumed)) => {
            // Whatever else was asked for concerns a new session (XEP-0198 section 9.2); no features follow.
            answers.push(resumed.element);
            talk.say(&authenticated.success(granted(resumed.jid.into(), None, answers)));
            return Ok(Ready { lang, next: Next::Resumed(resumed.claim) });
        }
        Some(Err(failed)) => answers.push(failed),
    }
    let Some(request) = &authenticated.bind else {
        talk.say(&authenticated.success(granted(account.clone().into(), None, answers)));
        let client = fast::client(login, authenticated);
        return bind_by_iq(login, talk, (account, lang), client).await;
    };
    let resource = sasl::resource(request.tag.as_deref(), &|bytes: &mut [u8]| login.router.entropy.fill(bytes));
    let full = account.with_resource_str(&resource).map_err(|_| StreamError::from(Condition::InternalServerError))?;
    let client = &mut Some(fast::client(login, authenticated));
    let session = bind::bind(login, full, client).await.ok_or(StreamError::from(Condition::ResourceConstraint))?;
    bind::end_earlier(login, &session);
    let mut bound = inline::bound(login, &session, &request.inline);
    let inside = std::mem::take(&mut bound.answers);
    talk.say(&authenticated.success(granted(session.jid.clone().into(), Some(inside), answers)));
    talk.say(&features(adverts(login, account)));
    Ok(Ready { lang, next: Next::Bound(session, bound) })
}

async fn bind_by_iq(
    login: &Login,
    talk: &mut Talk,
    (account, lang): (&BareJid, Option<String>),
    client: Client,
) -> Result<Ready, Fault> {
    let optional = Element::bare("optional", bind::LEGACY_SESSION);
    let core = [Element::bare("bind", bind::BIND), Element::builder("session", bind::LEGACY_SESSION).append(optional).build()];
    talk.say(&features(core.into_iter().chain(adverts(login, account))));
    talk.flush().await?;
    Ok(Ready { lang, next: bind::by_iq(login, talk, account, client).await? })
}

fn granted(identity: jid::Jid, bound: Option<Vec<Element>>, inline: Vec<Element>) -> sasl::Granted {
    sasl::Granted { identity, bound, inline }
}

/// What is advertised after login.
fn adverts(login: &Login, account: &BareJid) -> Vec<Element> {
    let plans = login.router.plans();
    let modules = plans.accounts(account.domain().as_str()).map(|plan| plan.adverts()).unwrap_or_default();
    [sm::feature(), Element::bare("csi", CSI)].into_iter().chain(modules).collect()
}

async fn authenticate(
    login: &Login,
    talk: &mut Talk,
    header: &CheckedHeader,
    peer: IpAddr,
) -> Result<Box<sasl::Authenticated>, Fault> {
    let host = login.host(header.to.as_str()).ok_or(StreamError::from(Condition::InternalServerError))?;
    let (claim, mut known) = claim(login, header).await;
    let mut negotiation = sasl::Negotiation::new(host, connection(talk, claim));
    talk.say(&negotiation.features());
    talk.flush().await?;
    let mut action = negotiation.receive(talk.element().await?);
    loop {
        action = match action {
            sasl::Action::Send(element) => {
                talk.say(&element);
                talk.flush().await?;
                negotiation.receive(talk.element().await?)
            }
            sasl::Action::Lookup(lookup) => look_up(login, &mut negotiation, (header, peer), (lookup.username, &mut known)).await,
            sasl::Action::Token(attempt) => redeem(login, &mut negotiation, (header, peer), &attempt).await,
            sasl::Action::Fail(failed) => {
                fail(login, talk, (header, peer), &failed).await?;
                negotiation.receive(talk.element().await?)
            }
            sasl::Action::Close(fault) => return Err(stream_error(fault).into()),
            sasl::Action::Authenticated(authenticated) => {
                login.succeeded(peer, &BareJid::from_parts(Some(&authenticated.username), &header.to));
                return Ok(authenticated);
            }
        }
    }
}

fn bindings(talk: &Talk) -> sasl::Bindings {
    let bindings = talk.io.bindings();
    sasl::Bindings {
        exporter: Some(bindings.exporter().to_vec()),
        server_end_point: bindings.server_end_point().map(<[u8]>::to_vec),
    }
}

fn connection(talk: &Talk, claim: Option<sasl::Claim>) -> sasl::Connection {
    sasl::Connection {
        tls: match talk.io.version() {
            bocage_tls::TlsVersion::V1_2 => sasl::TlsVersion::V1_2,
            bocage_tls::TlsVersion::V1_3 => sasl::TlsVersion::V1_3,
        },
        bindings: bindings(talk),
        claim,
    }
}

/// The account that the header names, and what its keys allow: the offer is tailored to it (H41).
async fn claim(login: &Login, header: &CheckedHeader) -> (Option<sasl::Claim>, Known) {
    let Some(from) = header.from.as_ref().filter(|from| from.domain().as_str() == header.to.as_str()) else {
        return (None, None);
    };
    let Some(username) = from.node().map(|node| node.to_owned()) else { return (None, None) };
    let Ok(keys) = login.keys(&from.to_bare()).await else { return (None, None) };
    let account = keys.as_ref().and_then(sasl::Credentials::mechanisms);
    (Some(sasl::Claim { username: username.clone(), account }), Some((username, keys)))
}

/// Waits as long as a try has to; `false`: not now.
async fn admitted(login: &Login, peer: IpAddr, account: &BareJid) -> bool {
    match login.check(peer, account) {
        sasl::Verdict::Go => true,
        sasl::Verdict::Delay(delay) => {
            tokio::time::sleep(delay.min(MAX_DELAY)).await;
            true
        }
        sasl::Verdict::Refuse => {
            tracing::info!(account = %Hidden(account.as_str()), "too many failed logins: refused for the moment");
            false
        }
    }
}

async fn redeem(
    login: &Login,
    negotiation: &mut sasl::Negotiation,
    (header, peer): (&CheckedHeader, IpAddr),
    attempt: &sasl::Attempt,
) -> sasl::Action {
    let account = BareJid::from_parts(Some(&attempt.username), &header.to);
    if !admitted(login, peer, &account).await {
        return negotiation.throttled();
    }
    let outcome = login.router.tokens().redeem(&account, attempt, login.router.now());
    negotiation.redeemed(outcome)
}

async fn look_up(
    login: &Login,
    negotiation: &mut sasl::Negotiation,
    (header, peer): (&CheckedHeader, IpAddr),
    (username, known): (NodePart, &mut Known),
) -> sasl::Action {
    let account = BareJid::from_parts(Some(&username), &header.to);
    if !admitted(login, peer, &account).await {
        return negotiation.throttled();
    }
    let keys = match known.take() {
        Some((name, keys)) if name == username => Ok(keys),
        _ => login.keys(&account).await,
    };
    match keys {
        Ok(keys) => negotiation.credentials(keys, &|bytes: &mut [u8]| login.router.entropy.fill(bytes)),
        Err(_) => negotiation.throttled(),
    }
}

async fn fail(
    login: &Login,
    talk: &mut Talk,
    (header, peer): (&CheckedHeader, IpAddr),
    failed: &sasl::Failed,
) -> Result<(), Fault> {
    talk.say(&failed.send);
    if let Some(username) = &failed.guessed {
        login.failed(peer, &BareJid::from_parts(Some(username), &header.to));
    }
    if let Some(fault) = failed.close {
        return Err(stream_error(fault).into());
    }
    talk.flush().await
}

fn stream_error(fault: sasl::StreamFault) -> StreamError {
    match fault {
        sasl::StreamFault::NotAuthorized => Condition::NotAuthorized,
        sasl::StreamFault::PolicyViolation => Condition::PolicyViolation,
        sasl::StreamFault::InternalServerError => Condition::InternalServerError,
    }
    .into()
}
