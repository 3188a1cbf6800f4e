//! What a block does to a stanza, on its way in and out (XEP-0191 section 3.4).

use bocage_api::{
    Delivery, EgressFilter, EgressView, Kind, RecipientRule, RecipientView, Relation, Stanza, StanzaError, Verdict,
    error::{Condition, ErrorType},
    ns,
    stanza::{IqType, MessageType},
};
use minidom::Element;

/// Who is blocked hears what an account that is not there would say.
pub(crate) struct Incoming;
impl RecipientRule for Incoming {
    fn judge(&self, recipient: RecipientView<'_>, stanza: &mut Stanza) -> Delivery {
        if !recipient.blocked {
            return Delivery::Deliver;
        }
        // Strangers of other servers, rooms among them: silence, as from an account that does not exist (H49).
        let knows_of_it = matches!(recipient.relation, Relation::Contact(_) | Relation::Neighbour);
        match stanza.kind {
            Kind::Iq(IqType::Get | IqType::Set) => Delivery::Reject(StanzaError::service_unavailable()),
            Kind::Message(MessageType::Chat | MessageType::Normal) if knows_of_it => {
                Delivery::Reject(StanzaError::service_unavailable())
            }
            Kind::Message(_) | Kind::Presence(_) | Kind::Iq(_) => Delivery::Silence,
        }
    }
}

/// Who blocks somebody does not speak to them by mistake.
pub(crate) struct Outgoing;
impl EgressFilter for Outgoing {
    fn leaves(&self, to: EgressView, _: &mut Stanza) -> Verdict {
        if to.blocked { Verdict::Bounce(blocked()) } else { Verdict::Pass }
    }
}

fn blocked() -> StanzaError {
    StanzaError::new(ErrorType::Cancel, Condition::NotAcceptable)
        .with_text("You have blocked this JID")
        .with_application(Element::bare("blocked", ns::BLOCKING_ERRORS))
}
