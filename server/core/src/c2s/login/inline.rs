//! What a client may ask for together with Bind 2 (XEP-0386 section 4).

use super::Login;
use crate::{
    c2s::{Acks, CSI, Inactive, enable},
    router::Session,
    sm::{self, SM},
};
use bocage_api::{SessionView, ns};
use minidom::Element;
use xmpp_parsers::{sm::Enable, stanza_error::DefinedCondition};

/// What core offers there; modules add theirs.
pub(super) const FEATURES: [&str; 3] = [SM, ns::CARBONS, CSI];

/// What came of the requests.
#[derive(Default)]
pub(super) struct Bound {
    /// The children of `<bound/>`.
    pub(super) answers: Vec<Element>,
    /// Stream management, if it was enabled.
    pub(super) acks: Option<Box<Acks>>,
    /// Set when nobody looks (XEP-0352).
    pub(super) inactive: Option<Box<Inactive>>,
}

/// Does what was asked for; what nobody knows is passed over.
pub(super) fn bound(login: &Login, session: &Session, requests: &[Element]) -> Bound {
    let mut bound = Bound::default();
    let plans = login.router.plans();
    let plan = plans.accounts(session.jid.domain().as_str());
    for request in requests {
        if request.has_ns(SM) {
            bound.manage(login, session, request);
        } else if request.is("enable", ns::CARBONS) {
            session.set_wants_copies(true);
        } else if request.has_ns(CSI) {
            bound.inactive = request.is("inactive", CSI).then(Box::default);
        } else if let Some(plan) = plan {
            bound.answers.extend(plan.inline_bound(SessionView { jid: &session.jid }, request));
        }
    }
    bound
}

impl Bound {
    fn manage(&mut self, login: &Login, session: &Session, request: &Element) {
        match Enable::try_from(request.clone()) {
            Ok(wish) if self.acks.is_none() => {
                let (acks, enabled) = enable(&login.router, session, &wish);
                self.acks = Some(acks);
                self.answers.push(enabled);
            }
            Ok(_) => self.answers.push(sm::failed(DefinedCondition::UnexpectedRequest, None)),
            Err(_) => self.answers.push(sm::failed(DefinedCondition::BadRequest, None)),
        }
    }
}
