//! The subscription states of RFC 6121 appendix A, pure: a row in, a row and what follows out.

use bocage_api::{
    stanza::PresenceType,
    store::{RosterItem, Subscription},
};

/// What follows from a subscription stanza that an owner sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outbound {
    /// It is routed to the contact.
    pub route: bool,
    /// The contact now gets the owner's presence.
    pub granted: bool,
    /// The contact no longer gets it.
    pub revoked: bool,
}

/// What follows from a subscription stanza that an owner receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inbound {
    /// It is delivered to the owner's sessions.
    pub deliver: bool,
    /// The server answers `subscribed` in the owner's name.
    pub approve: bool,
    /// The contact no longer gets the owner's presence.
    pub revoked: bool,
}

/// An owner sends `kind` to the contact of `item` (appendix A.2).
pub fn outbound(kind: PresenceType, item: &mut RosterItem) -> Outbound {
    let (to, from) = (item.subscription.to(), item.subscription.from());
    let asked = item.pending_in.is_some();
    match kind {
        PresenceType::Subscribe => {
            item.listed = true;
            item.ask = !to;
            Outbound { route: true, ..Outbound::default() }
        }
        PresenceType::Unsubscribe => {
            item.ask = false;
            item.subscription = Subscription::of(false, from);
            Outbound { route: true, ..Outbound::default() }
        }
        PresenceType::Subscribed if asked => {
            item.pending_in = None;
            item.listed = true;
            item.approved = false;
            item.subscription = Subscription::of(to, true);
            Outbound { route: true, granted: true, revoked: false }
        }
        PresenceType::Subscribed => {
            // Pre-approval (section 3.4): kept, never routed.
            item.approved = !from;
            item.listed = true;
            Outbound::default()
        }
        PresenceType::Unsubscribed => {
            item.pending_in = None;
            item.approved = false;
            item.subscription = Subscription::of(to, false);
            Outbound { route: asked || from, granted: false, revoked: from }
        }
        _ => Outbound::default(),
    }
}

/// An owner receives `kind` from the contact of `item` (appendix A.3); `request` is the stanza as it came.
pub fn inbound(kind: PresenceType, item: &mut RosterItem, request: &str) -> Inbound {
    let (to, from) = (item.subscription.to(), item.subscription.from());
    match kind {
        PresenceType::Subscribe if from => Inbound { approve: true, ..Inbound::default() },
        PresenceType::Subscribe if item.approved => {
            item.approved = false;
            item.pending_in = None;
            item.subscription = Subscription::of(to, true);
            Inbound { approve: true, ..Inbound::default() }
        }
        PresenceType::Subscribe => {
            let first = item.pending_in.is_none();
            item.pending_in.get_or_insert_with(|| request.to_owned());
            Inbound { deliver: first, ..Inbound::default() }
        }
        PresenceType::Unsubscribe => {
            let asked = item.pending_in.take().is_some();
            item.subscription = Subscription::of(to, false);
            Inbound { deliver: asked || from, approve: false, revoked: from }
        }
        PresenceType::Subscribed => {
            let wanted = item.ask;
            if wanted {
                item.ask = false;
                item.subscription = Subscription::of(true, from);
            }
            Inbound { deliver: wanted, ..Inbound::default() }
        }
        PresenceType::Unsubscribed => {
            let had = item.ask || to;
            item.ask = false;
            item.subscription = Subscription::of(false, from);
            Inbound { deliver: had, ..Inbound::default() }
        }
        _ => Inbound::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PresenceType::{Subscribe, Subscribed, Unsubscribe, Unsubscribed};

    /// The nine states of appendix A.1 and their names there.
    fn states() -> Vec<(&'static str, RosterItem)> {
        let item = |subscription, ask, asked: bool| RosterItem {
            subscription,
            ask,
            listed: true,
            pending_in: asked.then(String::new),
            ..RosterItem::new("c@x.example".parse().unwrap())
        };
        vec![
            ("none", item(Subscription::None, false, false)),
            ("none+out", item(Subscription::None, true, false)),
            ("none+in", item(Subscription::None, false, true)),
            ("none+out+in", item(Subscription::None, true, true)),
            ("to", item(Subscription::To, false, false)),
            ("to+in", item(Subscription::To, false, true)),
            ("from", item(Subscription::From, false, false)),
            ("from+out", item(Subscription::From, true, false)),
            ("both", item(Subscription::Both, false, false)),
        ]
    }
    fn name(item: &RosterItem) -> &'static str {
        let found = states().into_iter().find(|(_, s)| {
            s.subscription == item.subscription && s.ask == item.ask && s.pending_in.is_some() == item.pending_in.is_some()
        });
        found.map_or("?", |(name, _)| name)
    }
    fn table(kind: PresenceType, out: bool, rows: [(&str, bool, &str); 9]) {
        for ((state, mut item), (expected_state, acts, next)) in states().into_iter().zip(rows) {
            assert_eq!(state, expected_state);
            let acted = if out { outbound(kind, &mut item).route } else { inbound(kind, &mut item, "").deliver };
            assert_eq!((acted, name(&item)), (acts, next), "{kind:?} in state {state}");
        }
    }

    #[test]
    fn a_2_1_outbound_subscribe() {
        table(
            Subscribe,
            true,
            [
                ("none", true, "none+out"),
                ("none+out", true, "none+out"),
                ("none+in", true, "none+out+in"),
                ("none+out+in", true, "none+out+in"),
                ("to", true, "to"),
                ("to+in", true, "to+in"),
                ("from", true, "from+out"),
                ("from+out", true, "from+out"),
                ("both", true, "both"),
            ],
        );
    }
    #[test]
    fn a_2_2_outbound_unsubscribe() {
        table(
            Unsubscribe,
            true,
            [
                ("none", true, "none"),
                ("none+out", true, "none"),
                ("none+in", true, "none+in"),
                ("none+out+in", true, "none+in"),
                ("to", true, "none"),
                ("to+in", true, "none+in"),
                ("from", true, "from"),
                ("from+out", true, "from"),
                ("both", true, "from"),
            ],
        );
    }
    #[test]
    fn a_2_3_outbound_subscribed() {
        table(
            Subscribed,
            true,
            [
                ("none", false, "none"),
                ("none+out", false, "none+out"),
                ("none+in", true, "from"),
                ("none+out+in", true, "from+out"),
                ("to", false, "to"),
                ("to+in", true, "both"),
                ("from", false, "from"),
                ("from+out", false, "from+out"),
                ("both", false, "both"),
            ],
        );
    }
    #[test]
    fn a_2_4_outbound_unsubscribed() {
        table(
            Unsubscribed,
            true,
            [
                ("none", false, "none"),
                ("none+out", false, "none+out"),
                ("none+in", true, "none"),
                ("none+out+in", true, "none+out"),
                ("to", false, "to"),
                ("to+in", true, "to"),
                ("from", true, "none"),
                ("from+out", true, "none+out"),
                ("both", true, "to"),
            ],
        );
    }
    #[test]
    fn a_3_1_inbound_subscribe() {
        table(
            Subscribe,
            false,
            [
                ("none", true, "none+in"),
                ("none+out", true, "none+out+in"),
                ("none+in", false, "none+in"),
                ("none+out+in", false, "none+out+in"),
                ("to", true, "to+in"),
                ("to+in", false, "to+in"),
                ("from", false, "from"),
                ("from+out", false, "from+out"),
                ("both", false, "both"),
            ],
        );
    }
    #[test]
    fn a_3_2_inbound_unsubscribe() {
        table(
            Unsubscribe,
            false,
            [
                ("none", false, "none"),
                ("none+out", false, "none+out"),
                ("none+in", true, "none"),
                ("none+out+in", true, "none+out"),
                ("to", false, "to"),
                ("to+in", true, "to"),
                ("from", true, "none"),
                ("from+out", true, "none+out"),
                ("both", true, "to"),
            ],
        );
    }
    #[test]
    fn a_3_3_inbound_subscribed() {
        table(
            Subscribed,
            false,
            [
                ("none", false, "none"),
                ("none+out", true, "to"),
                ("none+in", false, "none+in"),
                ("none+out+in", true, "to+in"),
                ("to", false, "to"),
                ("to+in", false, "to+in"),
                ("from", false, "from"),
                ("from+out", true, "both"),
                ("both", false, "both"),
            ],
        );
    }
    #[test]
    fn a_3_4_inbound_unsubscribed() {
        table(
            Unsubscribed,
            false,
            [
                ("none", false, "none"),
                ("none+out", true, "none"),
                ("none+in", false, "none+in"),
                ("none+out+in", true, "none+in"),
                ("to", true, "none"),
                ("to+in", true, "none+in"),
                ("from", false, "from"),
                ("from+out", true, "from"),
                ("both", true, "from"),
            ],
        );
    }

    #[test]
    fn a_pre_approved_contact_is_let_in_without_asking() {
        let mut item = RosterItem::new("c@x.example".parse().unwrap());
        assert!(!outbound(Subscribed, &mut item).route);
        assert!(item.approved);
        assert_eq!(inbound(Subscribe, &mut item, ""), Inbound { approve: true, ..Inbound::default() });
        assert_eq!(item.subscription, Subscription::From);
    }
}
