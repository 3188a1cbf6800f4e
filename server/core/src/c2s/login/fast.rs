//! Tokens to come back with (XEP-0484): given to clients that ask, or in the place of one that is growing old.

use super::Login;
use crate::router::{Client, Proof};
use bocage_api::clock::stamp;
use bocage_sasl as sasl;
use jid::BareJid;
use minidom::Element;
use rxml::xml_ncname;

const FAST: &str = "urn:xmpp:fast:0";

/// `<token/>` for a client that is fully authenticated.
pub(super) fn token(
    login: &Login,
    account: &BareJid,
    authenticated: &sasl::Authenticated,
    bindings: &sasl::Bindings,
) -> Option<Element> {
    let due = match authenticated.method {
        sasl::Method::Password(_) => None,
        sasl::Method::Token(due) => due,
    };
    let mechanism = sasl::requested(&authenticated.inline, bindings).or(due)?;
    let agent = authenticated.user_agent.as_ref()?;
    let entropy = |bytes: &mut [u8]| login.router.entropy.fill(bytes);
    let issued = login.router.tokens().issue((account, agent), mechanism, login.router.now(), &entropy)?;
    let token = Element::builder("token", FAST)
        .attr(xml_ncname!("token").to_owned(), issued.token.as_str())
        .attr(xml_ncname!("expiry").to_owned(), stamp(issued.expiry))
        .build();
    Some(token)
}

/// The client that is about to bind.
pub(super) fn client(login: &Login, authenticated: &sasl::Authenticated) -> Client {
    Client {
        reference: u64::from_le_bytes(login.router.entropy.bytes()),
        proof: match authenticated.method {
            sasl::Method::Password(_) => Proof::Password,
            sasl::Method::Token(_) => Proof::Token,
        },
        since: login.router.clock.wall(),
        agent: authenticated.user_agent.clone(),
    }
}
