//! Taking over the session of an older stream (XEP-0198 sections 5 and 9.2), by an element of its own or inline.

use super::{Login, Talk};
use crate::{
    sm::{self, Claim, Refusal, Request},
    stream::talk::Fault,
};
use bocage_stream::StreamError;
use jid::{BareJid, FullJid};
use minidom::Element;
use tokio::sync::oneshot;
use xmpp_parsers::{
    sm::{Nonza, Resume, Resumed, StreamId},
    stanza_error::DefinedCondition,
};

/// A session that waits for the stream that asked.
pub(super) struct Granted {
    pub(super) claim: Claim,
    /// Its address.
    pub(super) jid: FullJid,
    /// `<resumed/>`.
    pub(super) element: Element,
}

/// `<resume/>` among the requests of a SASL2 client: what is granted, or the `<failed/>` that it gets instead.
pub(super) async fn inline(
    login: &Login,
    account: &BareJid,
    requests: &[Element],
) -> Result<Option<Result<Granted, Element>>, StreamError> {
    let Some(request) = requests.iter().find(|request| request.is("resume", sm::SM)) else { return Ok(None) };
    let Ok(resume) = Resume::try_from(request.clone()) else {
        return Ok(Some(Err(sm::failed(DefinedCondition::BadRequest, None))));
    };
    resumed(login, account, resume).await.map(Some)
}

/// An element of stream management before a resource is bound. `None`: its answer is a `<failed/>`, and a resource may
/// be bound instead.
pub(super) async fn by_nonza(
    login: &Login,
    talk: &mut Talk,
    account: &BareJid,
    element: Element,
) -> Result<Option<Claim>, Fault> {
    let failed = match Nonza::try_from(element) {
        Ok(Nonza::Resume(resume)) => match resumed(login, account, resume).await? {
            Ok(granted) => {
                talk.say(&granted.element);
                return Ok(Some(granted.claim));
            }
            Err(failed) => failed,
        },
        Ok(_) => sm::failed(DefinedCondition::UnexpectedRequest, None),
        Err(_) => sm::failed(DefinedCondition::BadRequest, None),
    };
    talk.say(&failed);
    Ok(None)
}

async fn resumed(login: &Login, account: &BareJid, resume: Resume) -> Result<Result<Granted, Element>, StreamError> {
    let Resume { h, previd: StreamId(previd) } = resume;
    match claim(login, account, (&previd, h)).await {
        Ok((jid, claim)) => {
            let element = Resumed { h: claim.h, previd: StreamId(previd) }.into();
            Ok(Ok(Granted { claim, jid, element }))
        }
        Err(Refusal::TooHigh(fault)) => Err(fault.into()),
        Err(Refusal::Gone) => {
            let h = login.router.former.handled(&previd, account, login.router.clock.mono());
            Ok(Err(sm::failed(DefinedCondition::ItemNotFound, h)))
        }
    }
}

/// Asks the session with this id, among those of the account.
async fn claim(login: &Login, account: &BareJid, (id, h): (&str, u32)) -> Result<(FullJid, Claim), Refusal> {
    let sessions = login.router.users.sessions(account);
    let found = sessions.iter().find_map(|session| {
        let resumable = session.resumable().filter(|resumable| resumable.is(id))?;
        Some((session, resumable))
    });
    let (session, resumable) = found.ok_or(Refusal::Gone)?;
    let (reply, answer) = oneshot::channel();
    resumable.ask(Request { h, reply });
    session.mailbox.flush_held();
    match answer.await {
        Ok(Ok(claim)) => Ok((session.jid.clone(), claim)),
        Ok(Err(fault)) => Err(Refusal::TooHigh(fault)),
        Err(_) => Err(Refusal::Gone),
    }
}
