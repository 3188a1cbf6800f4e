//! Resource binding (RFC 6120 section 7): by iq, or by the server's own choice (XEP-0386).

use super::{Login, Next, Talk, inline::Bound, resume};
use crate::{
    c2s::errors,
    presence,
    router::{Binding, Client, Session},
    sm::SM,
    stream::talk::Fault,
    wire,
};
use bocage_api::{Kind, SessionEvent, SessionView, Stanza, StanzaError, stanza::IqType};
use bocage_stream::{Condition, StreamError};
use jid::{BareJid, FullJid};
use minidom::Element;
use std::sync::Arc;

pub(super) const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
pub(super) const LEGACY_SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// Requests that may fail before the stream is given up.
const ATTEMPTS: usize = 5;

/// Waits for the iq that binds, or for `<resume/>`; the answer is left in the output of `talk`.
pub(super) async fn by_iq(login: &Login, talk: &mut Talk, account: &BareJid, client: Client) -> Result<Next, Fault> {
    let mut client = Some(client);
    for _ in 0..ATTEMPTS {
        let element = talk.element().await?;
        if element.has_ns(SM) {
            if let Some(claim) = resume::by_nonza(login, talk, account, element).await? {
                return Ok(Next::Resumed(claim));
            }
        } else if let Some(session) = attempt(login, talk, (account, &mut client), element).await? {
            return Ok(Next::Bound(session, Bound::default()));
        }
        talk.flush().await?;
    }
    Err(StreamError::from(Condition::PolicyViolation).into())
}

/// An iq of type set; anything else is not allowed before bind (section 7.3.1).
async fn attempt(
    login: &Login,
    talk: &mut Talk,
    (account, client): (&BareJid, &mut Option<Client>),
    element: Element,
) -> Result<Option<Arc<Session>>, Fault> {
    let request = match Stanza::parse(element) {
        Some(Ok(stanza)) if stanza.kind == Kind::Iq(IqType::Set) && stanza.has("bind", BIND) => {
            Stanza { from: None, to: None, ..stanza }
        }
        _ => return Err(errors::not_authorized().into()),
    };
    let refused = match resource(login, account, &request) {
        Ok(jid) => match bind(login, jid, client).await {
            Some(session) => {
                say(talk, request.result(Some(bound(&session.jid))));
                return Ok(Some(session));
            }
            None => StanzaError::resource_constraint(),
        },
        Err(error) => error,
    };
    if let Some(answer) = request.bounce(&refused) {
        say(talk, answer);
    }
    Ok(None)
}

fn resource(login: &Login, account: &BareJid, request: &Stanza) -> Result<FullJid, StanzaError> {
    let asked =
        request.payload().and_then(|bind| bind.get_child("resource", BIND)).map(Element::text).filter(|text| !text.is_empty());
    let resource = asked.unwrap_or_else(|| login.router.entropy.id());
    account.with_resource_str(&resource).map_err(|_| StanzaError::bad_request())
}

/// Makes the session; an older one with the same resource gives way, and its contacts are told before. `None` = the
/// account has as many sessions as it may.
pub(super) async fn bind(login: &Login, jid: FullJid, client: &mut Option<Client>) -> Option<Arc<Session>> {
    let router = &login.router;
    let session = Arc::new(Session::new(jid, router.budget.clone()));
    // Nobody is served without the block list; who it keeps away is known before the session is there.
    router.facts.load(&session.jid.to_bare()).await.ok()?;
    match router.users.bind(&session, router.limits.max_resources) {
        Binding::Full => return None,
        Binding::Bound(None) => {}
        Binding::Bound(Some(old)) => {
            old.cut(errors::replaced());
            presence::session_ended(router, &old).await;
        }
    }
    router.note_blocked(&session).await;
    if let Some(client) = client.take() {
        session.set_client(client);
    }
    if let Some(plan) = router.plans().accounts(session.jid.domain().as_str()) {
        plan.tell_session(SessionView { jid: &session.jid }, SessionEvent::Bound);
    }
    Some(session)
}

/// Earlier sessions of the same client installation are of no use to anybody (XEP-0386 section 4.2).
pub(super) fn end_earlier(login: &Login, session: &Arc<Session>) {
    let agent = session.client().and_then(|client| client.agent.as_ref());
    let Some(id) = agent.and_then(|agent| agent.id.as_deref()) else { return };
    for earlier in login.router.users.sessions(&session.jid.to_bare()) {
        if !Arc::ptr_eq(&earlier, session) && earlier.is_of(id) {
            earlier.cut(errors::replaced());
        }
    }
}

/// The payload of the result.
fn bound(jid: &FullJid) -> Element {
    let jid = Element::builder("jid", BIND).append(jid.as_str()).build();
    Element::builder("bind", BIND).append(jid).build()
}

fn say(talk: &mut Talk, stanza: Stanza) {
    wire::write_stanza(&mut talk.out, &wire::freeze_for_wire(stanza), None);
}
