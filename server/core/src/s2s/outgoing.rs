//! The way out: find the peer, TLS, proof, authentication; then the stream runs. One task per queue.

use super::{
    dialback,
    features::{self, Offer},
    federation::Federation,
    links::settle,
    live::{self, Management, Stream},
    queue::Link,
};
use crate::{
    c2s::{SASL, TLS},
    stream::talk::{Fault, Talk},
};
use bocage_api::{StanzaError, ns};
use bocage_dial::{Mode, Target, Unreachable};
use bocage_stream::{Condition, Content, StreamHeader, ns::DIALBACK};
use bocage_tls::{Approach, PeerStream, Plain, TlsProof};
use minidom::Element;
use rxml::xml_ncname;
use std::{sync::Arc, time::Duration};
use tokio::{io::BufReader, net::TcpStream, time::Instant};

/// From looking for a peer to a stream that is up, however bytes drip.
const NEGOTIATION: Duration = Duration::from_secs(30);
/// Pauses between attempts: the first, and the longest. Who waits longer than an attempt is a message.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));
/// A pause that the patience of a message would end early is no shorter than this.
const LEAST: Duration = Duration::from_secs(2);

/// Why there is no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// There is no such server.
    NotFound,
    /// It cannot be reached, for now.
    Unreached,
    /// It cannot prove who it is, or does not want to hear us: trying again changes nothing.
    Refused,
}

impl Failure {
    /// What senders are told: a condition alone (H42).
    fn error(self) -> StanzaError {
        match self {
            Self::NotFound => StanzaError::remote_server_not_found(),
            Self::Unreached | Self::Refused => StanzaError::remote_server_timeout(),
        }
    }
}

impl From<Unreachable> for Failure {
    fn from(cause: Unreachable) -> Self {
        match cause {
            Unreachable::NotFound => Self::NotFound,
            Unreachable::Bogus => Self::Refused,
            Unreachable::Refused | Unreachable::TimedOut | Unreachable::Proxy => Self::Unreached,
        }
    }
}
impl From<Fault> for Failure {
    fn from(_: Fault) -> Self {
        Self::Unreached
    }
}

/// Brings what waits in `link` to its peer, until nothing does.
pub(super) async fn drive(federation: Arc<Federation>, link: Arc<Link>) {
    let mut pause = PAUSE.0;
    loop {
        match Box::pin(open(&federation, &link)).await {
            Ok(mut stream) => {
                if !link.found() {
                    // The peer was faster, and may be speaking on this stream already: it is heard to its end.
                    return live::run(&federation, *stream).await;
                }
                pause = PAUSE.0;
                stream.sends = Some(link.clone());
                live::run(&federation, *stream).await;
            }
            Err(failure) if link.is_looked_for() => give_back(&federation, &link, failure).await,
            Err(_) => return,
        }
        if federation.is_closing() || !link.look_again() {
            return federation.router.links.forget(&link);
        }
        let drawn = pause / 2 + federation.router.entropy.duration_up_to(pause);
        let left = link.patience_ends().map(|end| end.saturating_sub(federation.router.clock.mono()));
        tokio::select! {
            () = tokio::time::sleep(shortened(drawn, left)) => {}
            () = link.superseded() => return,
        }
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// Whoever waits is told soon after the patience of their message ends (`left`): there is an attempt then.
fn shortened(pause: Duration, left: Option<Duration>) -> Duration {
    left.map_or(pause, |left| pause.min(left.max(LEAST)))
}

/// Answers what the peer will not get.
async fn give_back(federation: &Arc<Federation>, link: &Link, failure: Failure) {
    let now = federation.router.clock.mono();
    let lost = link.take_out(|item| {
        let patient = failure == Failure::Unreached && item.ticket.is_some();
        !patient || item.until <= now
    });
    for item in lost {
        settle(federation, item, Err(failure.error())).await;
    }
}

async fn open(federation: &Arc<Federation>, link: &Link) -> Result<Box<Stream>, Failure> {
    let _place = federation.looking.acquire().await.map_err(|_| Failure::Unreached)?;
    let deadline = Instant::now() + NEGOTIATION;
    let targets = async { Ok(federation.dialer.route(link.there.as_str()).await?) };
    let targets = tokio::time::timeout_at(deadline, targets).await.unwrap_or(Err(Failure::Unreached))?;
    let mut worst = Failure::NotFound;
    for target in &targets {
        let way = Way { federation, link, deadline };
        match tokio::time::timeout_at(deadline, Box::pin(way.reach(target))).await.unwrap_or(Err(Failure::Unreached)) {
            Ok(stream) => return Ok(stream),
            // The next target has to prove the same: nothing weaker is tried.
            Err(failure) if worst == Failure::NotFound || failure == Failure::Unreached => worst = failure,
            Err(_) => {}
        }
    }
    Err(worst)
}

/// One attempt.
struct Way<'a> {
    federation: &'a Arc<Federation>,
    link: &'a Link,
    deadline: Instant,
}

type Secured = Talk<PeerStream<TcpStream>>;

impl Way<'_> {
    fn here(&self) -> &str {
        self.link.here.as_str()
    }
    fn there(&self) -> &str {
        self.link.there.as_str()
    }

    async fn reach(&self, target: &Target) -> Result<Box<Stream>, Failure> {
        let socket = self.federation.dialer.connect(self.there(), target).await?;
        let plain = Plain::new(socket);
        let (plain, approach) = match target.mode {
            Mode::DirectTls => (plain, Approach::Direct),
            Mode::Starttls => self.starttls(plain).await?,
        };
        let connected = self.federation.connector.connect(plain, self.here(), self.there(), approach).await;
        let io = connected.map_err(|cause| {
            tracing::debug!(%cause, "no TLS with a peer");
            Failure::Refused
        })?;
        let proof = self.federation.prove(&io, self.there(), Some(&target.dane)).await.map_err(|cause| {
            tracing::debug!(%cause, "a peer does not prove who it is");
            Failure::Refused
        })?;
        self.federation.policy(&self.link.here, &self.link.there, &proof).map_err(|_| Failure::Refused)?;
        let mut talk = Talk::new(io, Content::Server, self.deadline);
        match self.negotiate(&mut talk).await {
            Ok(agreed) => Ok(Box::new(self.stream(talk, proof, agreed))),
            Err(failure) => {
                talk.end(Fault::Closed).await;
                Err(failure)
            }
        }
    }

    /// RFC 6120 section 5, as the initiating entity. No `<starttls/>`, no stream.
    async fn starttls(&self, plain: Plain<TcpStream>) -> Result<(Plain<TcpStream>, Approach), Failure> {
        let mut talk = Talk::new(BufReader::new(plain), Content::Server, self.deadline);
        talk.open(self.here(), Some(self.there()), None);
        talk.flush().await?;
        talk.header().await?;
        if !offer(&talk.element().await?)?.starttls {
            talk.end(Fault::Stream(Condition::PolicyViolation.into())).await;
            return Err(Failure::Refused);
        }
        talk.say(&Element::bare("starttls", TLS));
        talk.flush().await?;
        if !talk.element().await?.is("proceed", TLS) {
            return Err(Failure::Refused);
        }
        let pipelined = talk.io.buffer().len();
        Ok((talk.io.into_inner(), Approach::Starttls { pipelined }))
    }

    async fn header<S>(&self, talk: &mut Talk<S>) -> Result<StreamHeader, Failure>
    where
        S: tokio::io::AsyncBufRead + tokio::io::AsyncWrite + Unpin,
    {
        talk.open(self.here(), Some(self.there()), None);
        talk.flush().await?;
        let header = talk.header().await?;
        let other = header.from.as_deref().is_some_and(|from| !from.eq_ignore_ascii_case(self.there()));
        if other { Err(Failure::Refused) } else { Ok(header) }
    }

    /// Over TLS with a proven peer: EXTERNAL, or our key by dialback.
    async fn negotiate(&self, talk: &mut Secured) -> Result<Agreed, Failure> {
        let header = self.header(talk).await?;
        let mut offered = offer(&talk.element().await?)?;
        let bidi = offered.bidi;
        if bidi {
            talk.say(&features::bidi(self.federation.limits()));
        }
        if offered.external && self.external(talk).await? {
            talk.restart();
            self.header(talk).await?;
            offered = offer(&talk.element().await?)?;
        } else {
            self.dialback(talk, &header).await?;
        }
        if offered.sm {
            // Not waited for: with bidi the peer may have stanzas on their way before it answers.
            talk.say(&Element::bare("enable", features::SM));
        }
        Ok(Agreed { bidi, managed: offered.sm, max_bytes: offered.max_bytes })
    }

    /// `false`: the peer does not take our certificate.
    async fn external(&self, talk: &mut Secured) -> Result<bool, Failure> {
        talk.say(&features::auth(self.here()));
        talk.flush().await?;
        let answer = said(talk.element().await?)?;
        if answer.is("success", SASL) {
            return Ok(true);
        }
        if answer.is("failure", SASL) { Ok(false) } else { Err(Failure::Refused) }
    }

    async fn dialback(&self, talk: &mut Secured, header: &StreamHeader) -> Result<(), Failure> {
        let Some(id) = header.id.as_deref() else { return Err(Failure::Refused) };
        let key = self.federation.keys.key(self.here(), self.there(), id);
        dialback::write_key(&mut talk.out, self.here(), self.there(), &key);
        talk.flush().await?;
        let answer = said(talk.element().await?)?;
        let valid = answer.is("result", DIALBACK) && answer.attr(xml_ncname!("type")) == Some("valid");
        if valid { Ok(()) } else { Err(Failure::Refused) }
    }

    fn stream(&self, talk: Secured, proof: TlsProof, agreed: Agreed) -> Stream {
        let now = self.federation.router.clock.mono();
        let management = if agreed.managed { Management::requested(now) } else { Management::off() };
        Stream {
            io: talk.io,
            reader: talk.reader,
            out: talk.out,
            there: self.link.there.clone(),
            proof,
            sends: None,
            receives: agreed.bidi,
            awaits_management: false,
            max_bytes: agreed.max_bytes,
            management,
        }
    }
}

/// What a negotiation led to.
struct Agreed {
    bidi: bool,
    managed: bool,
    max_bytes: Option<usize>,
}

fn offer(element: &Element) -> Result<Offer, Failure> {
    match Offer::read(element) {
        Some(offer) => Ok(offer),
        None => said(element.clone()).and(Err(Failure::Refused)),
    }
}

/// An element, or what a stream error means for us.
fn said(element: Element) -> Result<Element, Failure> {
    if !element.is("error", ns::STREAMS) {
        return Ok(element);
    }
    let says = |condition: &str| element.has_child(condition, bocage_stream::ns::STREAM_ERROR);
    if says("host-unknown") || says("host-gone") {
        return Err(Failure::NotFound);
    }
    let passing = ["system-shutdown", "reset", "resource-constraint", "connection-timeout", "internal-server-error"];
    Err(if passing.into_iter().any(says) { Failure::Unreached } else { Failure::Refused })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_made_when_the_patience_of_a_message_ends() {
        let seconds = Duration::from_secs;
        for (pause, left, expected) in [(12, None, 12), (12, Some(5), 5), (12, Some(0), 2), (1, Some(0), 1), (3, Some(9), 3)] {
            assert_eq!(shortened(seconds(pause), left.map(seconds)), seconds(expected), "{pause} s, {left:?} left");
        }
    }
}
