//! Which clients have access to an account, and taking it from one (XEP-0494 0.1), for the account alone. What is told is
//! known in RAM only (H08): clients that have a session, or a token to come back with.

use super::{Proof, Router, Session};
use crate::c2s::errors;
use bocage_api::{
    Entity, Stanza, StanzaError,
    clock::stamp,
    stanza::{IqType, Kind},
};
use bocage_sasl::{ClientId, ClientView};
use jid::BareJid;
use minidom::Element;
use rxml::xml_ncname;
use std::sync::Arc;

/// Namespace of its elements.
pub(crate) const ACCESS: &str = "urn:xmpp:cam:0";

/// A client, as it is listed.
struct Listed {
    reference: u64,
    /// The id of its user-agent.
    id: Option<String>,
    software: Option<String>,
    device: Option<String>,
    first: i64,
    last: i64,
    connected: bool,
    password: bool,
    token: bool,
}

impl Router {
    /// Does an account ask for its clients, or to shut one out? The answer, if so.
    pub(super) fn access_asked(&self, entity: &Entity, stanza: &Stanza) -> Option<Stanza> {
        let payload = stanza.payload().filter(|payload| payload.has_ns(ACCESS))?;
        let own = stanza.from.as_ref().filter(|_| *entity == Entity::OwnAccount)?.to_bare();
        match (stanza.kind, payload.name()) {
            (Kind::Iq(IqType::Get), "list") => {
                let clients = self.listed(&own).into_iter().map(Listed::element);
                Some(stanza.result(Some(Element::builder("clients", ACCESS).append_all(clients).build())))
            }
            (Kind::Iq(IqType::Set), "revoke") => {
                let reference = payload.attr(xml_ncname!("id")).and_then(|id| u64::from_str_radix(id, 16).ok());
                match self.shut_out(&own, reference) {
                    Ok(()) => Some(stanza.result(None)),
                    Err(error) => stanza.bounce(&error),
                }
            }
            _ => None,
        }
    }

    fn listed(&self, account: &BareJid) -> Vec<Listed> {
        let now = self.now();
        let mut all: Vec<Listed> = self.tokens().clients(account, now).into_iter().map(Listed::by_token).collect();
        for session in self.users.sessions(account) {
            let Some(client) = session.client() else { continue };
            let id = client.agent.as_ref().and_then(|agent| agent.id.as_deref());
            let known = all.iter_mut().find(|listed| id.is_some() && listed.id.as_deref() == id);
            match known {
                Some(listed) => listed.also(&session, now.wall),
                None => all.extend(Listed::by_session(&session, now.wall)),
            }
        }
        all
    }

    /// Takes a client's tokens and ends its sessions. Who knows the password comes back with it, and the owner is told so
    /// (section 3.2).
    fn shut_out(&self, account: &BareJid, reference: Option<u64>) -> Result<(), StanzaError> {
        let listed = self.listed(account).into_iter().find(|listed| Some(listed.reference) == reference);
        let listed = listed.ok_or_else(StanzaError::item_not_found)?;
        if let Some(id) = listed.id.clone() {
            self.tokens().revoke_client(account, &ClientId(id));
        }
        let is_its = |session: &&Arc<Session>| match &listed.id {
            Some(id) => session.is_of(id),
            None => session.client().is_some_and(|client| client.reference == listed.reference),
        };
        self.users.sessions(account).iter().filter(is_its).for_each(|session| session.cut(errors::revoked()));
        if listed.password {
            let application = Element::bare("password-reset-required", ACCESS);
            return Err(StanzaError::service_unavailable().with_application(application));
        }
        Ok(())
    }
}

impl Listed {
    fn by_token(client: ClientView) -> Self {
        let ClientView { id, reference, software, device, first, last } = client;
        let (connected, password, token) = (false, false, true);
        Self { reference, id: Some(id.0), software, device, first, last, connected, password, token }
    }

    fn by_session(session: &Session, now: i64) -> Option<Self> {
        let client = session.client()?;
        let (id, software, device) = match &client.agent {
            Some(agent) => (agent.id.clone(), agent.software.clone(), agent.device.clone()),
            None => (None, None, None),
        };
        let password = client.proof == Proof::Password;
        let (reference, first) = (client.reference, client.since);
        Some(Self { reference, id, software, device, first, last: now, connected: true, password, token: false })
    }

    fn also(&mut self, session: &Session, now: i64) {
        self.connected = true;
        self.last = now;
        self.password |= session.client().is_some_and(|client| client.proof == Proof::Password);
    }

    fn element(self) -> Element {
        let text = |name: &str, text: String| Element::builder(name, ACCESS).append(text).build();
        let flag = |name: &str, set: bool| set.then(|| Element::bare(name, ACCESS));
        let agent = Element::builder("user-agent", ACCESS)
            .append_all(self.software.map(|software| text("software", software)))
            .append_all(self.device.map(|device| text("device", device)))
            .build();
        let permission = Element::builder("permission", ACCESS).attr(xml_ncname!("status").to_owned(), "unrestricted").build();
        Element::builder("client", ACCESS)
            .attr(xml_ncname!("connected").to_owned(), if self.connected { "true" } else { "false" })
            .attr(xml_ncname!("id").to_owned(), format!("{:016x}", self.reference))
            .attr(xml_ncname!("type").to_owned(), "session")
            .append(text("first-seen", stamp(self.first)))
            .append(text("last-seen", stamp(self.last)))
            .append(
                Element::builder("auth", ACCESS)
                    .append_all(flag("password", self.password))
                    .append_all(flag("fast", self.token))
                    .build(),
            )
            .append(permission)
            .append(agent)
            .build()
    }
}
