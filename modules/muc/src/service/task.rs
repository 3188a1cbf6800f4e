//! The task of one room: inputs in, the engine, then what has to be stored, then what goes out. Inputs that wait are taken
//! together, so that their rows are committed together. The engine never waits; nothing here waits for a recipient.

use super::{Input, Service, index::Known};
use crate::{
    room::{Kept, Out, Record, Room, Said},
    xml,
};
use bocage_api::{
    Frozen, Kind, Stanza, StanzaError,
    archive::{Append, ArchiveEntry},
    rt::{select, sync::mpsc, time},
    stanza::IqType,
    store::{StoreError, Stored},
};
use futures_util::{FutureExt, future::join_all};
use jid::{BareJid, FullJid};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

/// Inputs taken together.
const BATCH: usize = 64;
/// What could not be stored is tried again so often.
const RETRY: Duration = Duration::from_secs(5);

/// Runs until the room has nothing to do. A panic of the engine ends it: everybody is out (332), the next stanza wakes
/// what is stored.
pub(super) async fn run(service: Arc<Service>, jid: BareJid, mut inputs: mpsc::Receiver<Input>) {
    let mut task = match wake(&service, &jid).await {
        Ok(room) => Task { service, room, unstored: Vec::new() },
        Err(error) => {
            tracing::warn!(%error, "a room cannot be read from the store");
            return turn_away(&service, &jid, inputs, &error.into());
        }
    };
    if AssertUnwindSafe(task.serve(&mut inputs)).catch_unwind().await.is_err() {
        tracing::error!("a room panicked; it is made anew from the store");
        let service = task.service.clone();
        service.broke(&jid);
        let _ = AssertUnwindSafe(task.give_up()).catch_unwind().await;
        turn_away(&service, &jid, inputs, &StanzaError::internal_server_error());
    }
}

async fn wake(service: &Service, jid: &BareJid) -> Stored<Room> {
    let env = &service.env;
    Ok(match service.store.room(jid).await? {
        None => Room::new(jid.clone(), env),
        Some(record) => {
            let most = usize::try_from(record.config.history).unwrap_or_default();
            let (grants, past) = (service.store.grants(jid).await?, service.store.past(jid, most).await?);
            Room::wake(jid.clone(), env, record, grants, past)
        }
    })
}

/// Who waits gets an error; whoever comes next tries again.
fn turn_away(service: &Service, jid: &BareJid, mut inputs: mpsc::Receiver<Input>, error: &StanzaError) {
    service.forget(jid);
    inputs.close();
    while let Ok(input) = inputs.try_recv() {
        if let Input::Stanza(stanza, _) = input
            && let Some(answer) = xml::head(&stanza).bounce(error)
        {
            service.post(Box::new(answer));
        }
    }
}

/// What followed from one input.
struct Followed {
    out: Vec<Out>,
    /// Changes that the answer speaks of.
    kept: usize,
}

struct Task {
    service: Arc<Service>,
    room: Room,
    /// Changes that the store did not take yet, oldest first.
    unstored: Vec<Kept>,
}

impl Task {
    async fn serve(&mut self, inputs: &mut mpsc::Receiver<Input>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            if self.room.is_idle() && self.unstored.is_empty() {
                match self.service.sleep(&self.room.jid, inputs) {
                    Some(input) => batch.push(input),
                    None => return,
                }
            } else {
                self.wait(inputs, &mut batch).await;
            }
            while batch.len() < BATCH
                && let Ok(input) = inputs.try_recv()
            {
                batch.push(input);
            }
            self.turn(&mut batch).await;
        }
    }

    async fn wait(&self, inputs: &mut mpsc::Receiver<Input>, batch: &mut Vec<Input>) {
        let tick = self.room.next_tick().map(|at| at.saturating_sub(self.service.env.clock.mono()));
        let retry = (!self.unstored.is_empty()).then_some(RETRY);
        match tick.into_iter().chain(retry).min() {
            None => batch.extend(inputs.recv().await),
            Some(left) => select! {
                input = inputs.recv() => batch.extend(input),
                () = time::sleep(left) => {}
            },
        }
    }

    async fn turn(&mut self, batch: &mut Vec<Input>) {
        let (mut followed, mut told, mut answers) = (Vec::with_capacity(batch.len()), Vec::new(), Vec::new());
        for input in batch.drain(..) {
            let env = &self.service.env;
            match input {
                Input::Stanza(stanza, cause) => self.room.handle(env, *stanza, cause),
                Input::Refresh => self.room.refresh_ids(env),
                Input::Forget(who, done) => {
                    self.room.forget_account(env, &who);
                    told.push(done);
                }
                Input::Read(who, answer) => _ = answer.send(self.room.reader(env, &who)),
                Input::Command(who, command, answer) => answers.push((answer, self.room.command(env, &command, &who))),
                Input::Stop(done) => {
                    self.room.shutdown(env);
                    told.push(done);
                }
            }
            followed.push(self.follow());
        }
        self.room.tick(&self.service.env);
        followed.push(self.follow());
        self.store(&mut followed).await;
        self.record(&mut followed).await;
        let mut lost = Vec::new();
        for out in followed.into_iter().flat_map(|followed| followed.out) {
            self.send(out, &mut lost);
        }
        self.after(lost).await;
        told.into_iter().for_each(|done| _ = done.send(()));
        answers.into_iter().for_each(|(answer, result)| _ = answer.send(result));
    }

    fn follow(&mut self) -> Followed {
        let out = self.room.take_out();
        let kept = out.iter().filter(|out| matches!(out, Out::Keep(_))).count();
        Followed { out, kept }
    }

    /// Whom something did not reach is out, and others learn of it, until nothing more follows.
    async fn after(&mut self, mut lost: Vec<Arc<FullJid>>) {
        while !lost.is_empty() {
            for seat in std::mem::take(&mut lost) {
                self.room.lost(&self.service.env, &seat);
            }
            let mut followed = vec![self.follow()];
            self.store(&mut followed).await;
            for out in followed.into_iter().flat_map(|followed| followed.out) {
                self.send(out, &mut lost);
            }
        }
    }

    /// Stores what is to be kept, all of a turn together. Whoever asked for what could not be stored is told so.
    async fn store(&mut self, followed: &mut [Followed]) {
        let mut changes: Vec<(usize, Kept)> = Vec::new();
        for (at, followed) in followed.iter_mut().enumerate().filter(|(_, followed)| followed.kept > 0) {
            let (kept, out): (Vec<Out>, Vec<Out>) =
                std::mem::take(&mut followed.out).into_iter().partition(|out| matches!(out, Out::Keep(_)));
            followed.out = out;
            changes.extend(kept.into_iter().filter_map(|out| if let Out::Keep(kept) = out { Some((at, kept)) } else { None }));
        }
        if changes.is_empty() && self.unstored.is_empty() {
            return;
        }
        let before = std::mem::take(&mut self.unstored).into_iter().map(|kept| (usize::MAX, kept));
        let changes: Vec<(usize, Kept)> = before.chain(changes).collect();
        for (at, kept, error) in self.write(changes).await {
            tracing::warn!(%error, "a change of a room could not be stored yet");
            self.unstored.push(kept);
            if let Some(followed) = followed.get_mut(at) {
                followed.out.iter_mut().for_each(|out| fail(out, &self.service, &error));
            }
        }
    }

    /// Archives what was said, all of a turn together, before anybody hears it. What cannot be kept was not said: its
    /// author gets an error.
    async fn record(&mut self, followed: &mut [Followed]) {
        let all = followed.iter_mut().flat_map(|followed| followed.out.iter_mut());
        let entries: Vec<ArchiveEntry> = all.filter_map(|out| recorded(out)?.entry.take()).collect();
        if entries.is_empty() {
            return;
        }
        let archives = self.service.store.archives.clone();
        let appends = entries.into_iter().map(|entry| archives.append(Append { entries: vec![entry], once: false }));
        let mut results = join_all(appends).await.into_iter();
        for out in followed.iter_mut().flat_map(|followed| followed.out.iter_mut()) {
            let Some(record) = recorded(out) else { continue };
            let Some(Err(error)) = results.next() else { continue };
            self.room.unsay(record.id);
            let bounce = record.head.bounce(&error.into()).map(|bounce| self.service.env.outbox.freeze(bounce));
            let seat = record.head.from.clone().and_then(|from| from.try_into_full().ok());
            if let (Some(bounce), Some(seat)) = (bounce, seat) {
                *out = Out::Deliver(bounce, Arc::new(seat));
            }
        }
    }

    /// In order; what failed comes back with everything behind it that may depend on it.
    async fn write(&mut self, changes: Vec<(usize, Kept)>) -> Vec<(usize, Kept, StoreError)> {
        let (service, jid) = (self.service.clone(), self.room.jid.clone());
        let mut failed = Vec::new();
        let mut rest = changes.into_iter().peekable();
        while rest.peek().is_some() {
            // The end of a room takes several steps: nothing overtakes them.
            let mut group = Vec::new();
            while let Some(change) = rest.next() {
                let ends = matches!(change.1, Kept::Destroyed);
                group.push(change);
                if ends || rest.peek().is_some_and(|(_, next)| matches!(next, Kept::Destroyed)) {
                    break;
                }
            }
            let written = join_all(group.iter().map(|(_, kept)| service.store.keep(&jid, kept))).await;
            for ((at, kept), result) in group.into_iter().zip(written) {
                match result {
                    Ok(()) => self.stored(&kept),
                    Err(error) => failed.push((at, kept, error)),
                }
            }
        }
        failed
    }

    fn stored(&self, kept: &Kept) {
        match kept {
            Kept::Destroyed => self.service.index.remove(&self.room.jid),
            Kept::Room(record) => {
                let known = Known { public: record.config.public, name: record.config.name.clone() };
                self.service.index.put(self.room.jid.clone(), known);
            }
            Kept::Grant(..) | Kept::Retracted(..) | Kept::Keeps(..) | Kept::Forgotten => {}
        }
    }

    fn send(&self, out: Out, lost: &mut Vec<Arc<FullJid>>) {
        match out {
            Out::Deliver(stanza, seat) => self.deliver(&stanza, seat, lost),
            Out::Say(said) => {
                let Said { stanza, to, .. } = *said;
                to.into_iter().for_each(|seat| self.deliver(&stanza, seat, lost));
            }
            Out::Mail(stanza) => self.service.post(stanza),
            Out::Keep(_) => {}
        }
    }
    fn deliver(&self, stanza: &Arc<Frozen>, seat: Arc<FullJid>, lost: &mut Vec<Arc<FullJid>>) {
        if self.service.env.outbox.deliver(stanza, &seat).is_err() {
            lost.push(seat);
        }
    }

    async fn give_up(&mut self) {
        let _ = self.room.take_out();
        self.room.shutdown(&self.service.env);
        let followed = self.follow();
        let mut lost = Vec::new();
        followed.out.into_iter().for_each(|out| self.send(out, &mut lost));
    }
}

/// What is to be archived of it.
fn recorded(out: &mut Out) -> Option<&mut Record> {
    match out {
        Out::Say(said) => said.record.as_mut(),
        _ => None,
    }
}

/// The result of an iq becomes an error: nothing was acknowledged that is not stored.
fn fail(out: &mut Out, service: &Service, error: &StoreError) {
    let Out::Deliver(answer, _) = out else { return };
    if answer.kind != Kind::Iq(IqType::Result) {
        return;
    }
    // Who asked, seen from the answer: its addressee.
    let mut asked = Stanza::new(Kind::Iq(IqType::Set), answer.to.clone(), answer.from.clone());
    asked.id.clone_from(&answer.id);
    if let Some(refusal) = asked.bounce(&error.clone().into()) {
        *answer = service.env.outbox.freeze(refusal);
    }
}
