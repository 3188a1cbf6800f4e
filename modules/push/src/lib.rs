//! Push notifications (XEP-0357 0.4.1): registrations of devices, and a bare "something waits" to their services.
//!
//! What would surprise a reader: the module stores no message and declines all that it is offered; it is told that
//! nobody was there by being asked.
#![forbid(unsafe_code)]

mod busy;
mod notify;
mod registration;

use bocage_api::{
    Action, Asker, BoxFuture, Checkpoints, Clock, Entity, Frozen, Host, InstallError, IqKey, IqPayload, IqService, Module,
    Outbox, Records, Relation, Reply, SessionEvent, SessionView, SessionWatch, SleepWatch, StanzaError, State, Taken, Tasks,
    Undeliverable, config::NoSettings, disco::Features, ns, rt::sync::mpsc,
};
use busy::Busy;
use jid::{BareJid, FullJid};
use minidom::Element;
use notify::{Job, Notifier};
use registration::{Disable, Registration};
use std::sync::Arc;

/// Accounts that wait for their notifications to be sent, at most.
const QUEUE: usize = 1_024;

/// The module.
pub struct Push;

impl Module for Push {
    const NAME: &'static str = "push";
    type Config = NoSettings;
    type Needs = (Host, Clock, Tasks, Outbox, Records<Registration>, State<Busy>);

    fn install(
        _: NoSettings,
        (host, clock, tasks, outbox, records, busy): Self::Needs,
        at: &mut Checkpoints,
    ) -> Result<(), InstallError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let notifier = Notifier { host, clock: clock.clone(), outbox, records: records.clone(), busy: busy.clone() };
        tasks.spawn("notifications", notifier.run(queue));
        for name in ["enable", "disable"] {
            for entity in [Entity::OwnAccount, Entity::OtherAccount] {
                let key = IqKey { entity, action: Action::Set, name, namespace: ns::PUSH };
                at.iq_service(key, Service { clock: clock.clone(), records: records.clone(), busy: busy.clone() });
            }
        }
        let alarm = Alarm { jobs, busy };
        at.undeliverable(alarm.clone());
        at.sleep_watch(alarm.clone());
        at.session_watch(alarm);
        at.disco_entry(Features { server: &[], account: &[ns::PUSH] });
        Ok(())
    }
}

struct Service {
    clock: Clock,
    records: Records<Registration>,
    busy: State<Busy>,
}

impl IqService for Service {
    fn answer(&self, asker: Asker, iq: IqPayload, _: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        Box::pin(async move {
            if asker.relation != Relation::Owner {
                return Err(asker.relation.refusal());
            }
            match iq.element.name() {
                "enable" => self.enable(&asker, &iq.element).await?,
                _ => self.disable(&asker, &iq.element).await?,
            }
            Ok(None)
        })
    }
}

impl Service {
    /// Section 5. The same service and node again: the last word counts.
    async fn enable(&self, asker: &Asker, element: &Element) -> Result<(), StanzaError> {
        let registration = Registration::read(element, self.clock.wall())?;
        self.records.put(asker.jid.to_bare().as_str(), &registration.key(), &registration).await?;
        if let Ok(session) = asker.jid.try_as_full() {
            self.busy.belongs(session, registration.key());
        }
        Ok(())
    }

    /// Section 6: one node, or all of a service.
    async fn disable(&self, asker: &Asker, element: &Element) -> Result<(), StanzaError> {
        let Disable { jid, node } = Disable::read(element)?;
        let owner = asker.jid.to_bare();
        for (key, registration) in registration::all(&self.records, owner.as_str()).await? {
            if registration.jid == jid && node.as_ref().is_none_or(|node| *node == registration.node) {
                self.records.delete(owner.as_str(), &key).await?;
            }
        }
        Ok(())
    }
}

/// Notices that something waits.
#[derive(Clone)]
struct Alarm {
    jobs: mpsc::Sender<Job>,
    busy: State<Busy>,
}

impl Alarm {
    fn ring(&self, owner: &BareJid, session: Option<&FullJid>, message: &Frozen) {
        if !notify::wakes(message) {
            return;
        }
        // A device that registered nothing in its session is not to be woken, others are awake.
        let keys = match session.map(|session| self.busy.keys(session)) {
            Some(keys) if keys.is_empty() => return,
            Some(keys) => Some(keys),
            None => None,
        };
        if let Some(job) = self.busy.begin(owner, keys)
            && self.jobs.try_send(job).is_err()
        {
            self.busy.end(owner);
            tracing::debug!("too many notifications at once: one was left out");
        }
    }
}

impl Undeliverable for Alarm {
    fn take(&self, owner: &BareJid, stanza: Arc<Frozen>) -> BoxFuture<'_, Result<Taken, StanzaError>> {
        self.ring(owner, None, &stanza);
        Box::pin(async { Ok(Taken::Declined) })
    }
}
impl SleepWatch for Alarm {
    fn waits(&self, session: &FullJid, message: &Frozen) {
        self.ring(&session.to_bare(), Some(session), message);
    }
}
impl SessionWatch for Alarm {
    fn session(&self, session: SessionView<'_>, event: SessionEvent) {
        if event == SessionEvent::Ended {
            self.busy.forget(session.jid);
        }
    }
}

#[cfg(test)]
mod tests;
