//! The way in: TLS, then a certificate that proves the domain. Without that proof a peer may ask about our own dialback
//! keys, and nothing else (H42).

use super::{
    dialback::{self, Verdict},
    features::{self, BIDI},
    federation::Federation,
    live::{Management, Stream},
};
use crate::{
    c2s::{Opening, SASL, SASL2, TLS},
    stream::talk::{Fault, Talk, features as stream_features},
};
use bocage_stream::{CheckedHeader, Condition, Content, StreamError, ns::DIALBACK};
use bocage_tls::{Opening as TlsOpening, PeerStream, Plain, TlsProof};
use jid::DomainPart;
use minidom::Element;
use rxml::xml_ncname;
use std::sync::Arc;
use tokio::{io::BufReader, net::TcpStream, time::Instant};

/// First-level elements before a peer is authenticated.
const ELEMENTS: usize = 32;

type Secured = Talk<PeerStream<TcpStream>>;

/// Leads one connection to a stream; `None` = it ended before.
pub(super) async fn accept(federation: &Arc<Federation>, plain: Plain<TcpStream>, opening: Opening) -> Option<Box<Stream>> {
    let deadline = Instant::now() + federation.router.limits.login_timeout;
    let secured = Box::pin(secured(federation, plain, opening, deadline));
    let io = tokio::time::timeout_at(deadline, secured).await.ok()??;
    let mut guest = Guest {
        federation,
        talk: Talk::new(io, Content::Server, deadline),
        id: String::new(),
        here: None,
        there: None,
        proof: None,
        bidi: None,
        offered_management: false,
    };
    match Box::pin(guest.authenticate()).await {
        Ok(()) => guest.stream(),
        Err(fault) => {
            guest.end(fault).await;
            None
        }
    }
}

async fn secured(
    federation: &Federation,
    plain: Plain<TcpStream>,
    opening: Opening,
    deadline: Instant,
) -> Option<PeerStream<TcpStream>> {
    match opening {
        Opening::Direct => federation.acceptor.accept_peer(plain, TlsOpening::Direct).await.ok(),
        Opening::Starttls => {
            let mut talk = Talk::new(BufReader::new(plain), Content::Server, deadline);
            match starttls(federation, &mut talk).await {
                Ok(to) => {
                    let pipelined = talk.io.buffer().len();
                    let opening = TlsOpening::Starttls { to: Some(to.as_str()), pipelined };
                    federation.acceptor.accept_peer(talk.io.into_inner(), opening).await.ok()
                }
                Err(fault) => {
                    if !talk.is_open() {
                        talk.open(&federation.default_host(), None, Some(&federation.router.entropy.id()));
                    }
                    talk.end(fault).await;
                    None
                }
            }
        }
    }
}

/// RFC 6120 section 5, as the receiving entity.
async fn starttls(federation: &Federation, talk: &mut Talk<BufReader<Plain<TcpStream>>>) -> Result<DomainPart, Fault> {
    let header = talk.header().await?.check(|host| federation.serves(host))?;
    let from = header.from.as_ref().map(|from| from.as_str());
    talk.open(header.to.as_str(), from, Some(&federation.router.entropy.id()));
    talk.say(&stream_features([features::starttls()]));
    talk.flush().await?;
    let element = talk.element().await?;
    if element.is("starttls", TLS) {
        talk.say(&Element::bare("proceed", TLS));
        talk.flush().await?;
        return Ok(header.to);
    }
    if element.has_ns(SASL) || element.has_ns(SASL2) {
        let condition = Element::bare("encryption-required", SASL);
        talk.say(&Element::builder("failure", element.ns()).append(condition).build());
    }
    Err(StreamError::with_text(Condition::PolicyViolation, "TLS is required").into())
}

/// A peer on its way in.
struct Guest<'a> {
    federation: &'a Arc<Federation>,
    talk: Secured,
    id: String,
    here: Option<DomainPart>,
    there: Option<DomainPart>,
    proof: Option<TlsProof>,
    /// It asked for bidi, with this limit.
    bidi: Option<Option<usize>>,
    /// It may enable stream management.
    offered_management: bool,
}

/// What an element led to.
enum Turn {
    Go,
    /// A new stream follows (SASL).
    Restart,
    /// The stream goes on as it is (dialback).
    Admitted,
}

impl Guest<'_> {
    async fn authenticate(&mut self) -> Result<(), Fault> {
        let header = self.header().await?;
        self.there = header.from.map(|from| from.domain().to_owned());
        if let Some(there) = self.there.clone() {
            self.proof = self.prove(there.as_str()).await?;
        }
        let mut offered = vec![features::dialback(), self.federation.limits()];
        if self.proof.is_some() {
            offered.extend(features::external());
        }
        self.talk.say(&stream_features(offered));
        self.talk.flush().await?;
        for _ in 0..ELEMENTS {
            let element = self.talk.element().await?;
            let turn = self.element(&element).await?;
            self.talk.flush().await?;
            match turn {
                Turn::Go => {}
                Turn::Restart => return self.restarted().await,
                Turn::Admitted => return Ok(()),
            }
        }
        Err(StreamError::from(Condition::PolicyViolation).into())
    }

    async fn header(&mut self) -> Result<CheckedHeader, Fault> {
        let federation = self.federation;
        let header = self.talk.header().await?.check(|host| federation.serves(host))?;
        if header.from.as_ref().is_some_and(|from| federation.serves(from.domain().as_str())) {
            // Nobody out there is one of us.
            return Err(StreamError::from(Condition::InvalidFrom).into());
        }
        self.id = federation.router.entropy.id();
        let from = header.from.as_ref().map(|from| from.as_str());
        self.talk.open(header.to.as_str(), from, Some(&self.id));
        self.here = Some(header.to.clone());
        Ok(header)
    }

    /// The proof that the peer speaks for `domain`; `Ok(None)`: it does not.
    async fn prove(&self, domain: &str) -> Result<Option<TlsProof>, Fault> {
        if !self.federation.admits(domain) {
            return Err(StreamError::from(Condition::PolicyViolation).into());
        }
        match self.federation.prove(&self.talk.io, domain, None).await {
            Ok(proof) => Ok(Some(proof)),
            Err(cause) => {
                tracing::debug!(%cause, "a peer does not prove who it is");
                Ok(None)
            }
        }
    }

    async fn element(&mut self, element: &Element) -> Result<Turn, Fault> {
        if element.is("auth", SASL) {
            return self.external(element);
        }
        if element.is("bidi", BIDI) {
            self.bidi = Some(features::bidi_limit(element));
            return Ok(Turn::Go);
        }
        if dialback::is_request(element, "result") {
            return self.result(element).await;
        }
        if dialback::is_request(element, "verify") {
            let federation = self.federation;
            dialback::verify(&mut self.talk.out, &federation.keys, element, |host| federation.serves(host));
            return Ok(Turn::Go);
        }
        if element.has_ns(DIALBACK) {
            return Ok(Turn::Go);
        }
        Err(crate::c2s::errors::not_authorized().into())
    }

    /// SASL EXTERNAL (XEP-0178): whom the certificate names, and nobody else.
    fn external(&mut self, auth: &Element) -> Result<Turn, Fault> {
        let failure = if auth.attr(xml_ncname!("mechanism")) != Some("EXTERNAL") {
            Some("invalid-mechanism")
        } else {
            match (features::authzid(auth), &self.proof) {
                (Err(_), _) => Some("incorrect-encoding"),
                (Ok(_), None) => Some("not-authorized"),
                (Ok(None), Some(_)) => None,
                (Ok(Some(name)), Some(_)) => {
                    let named = DomainPart::new(&name).ok().map(|name| name.into_owned());
                    (named != self.there).then_some("invalid-authzid")
                }
            }
        };
        let Some(condition) = failure else {
            self.talk.say(&Element::bare("success", SASL));
            return Ok(Turn::Restart);
        };
        self.talk.say(&Element::builder("failure", SASL).append(Element::bare(condition, SASL)).build());
        Ok(Turn::Go)
    }

    /// `<db:result/>`: the certificate has decided already; the key is not looked at.
    async fn result(&mut self, element: &Element) -> Result<Turn, Fault> {
        let Some(asked) = dialback::asked(element) else {
            return Err(StreamError::from(Condition::ImproperAddressing).into());
        };
        let from = DomainPart::new(&asked.from).ok().map(|name| name.into_owned());
        let mut verdict = Verdict::Error("not-authorized");
        if !self.federation.serves(&asked.to) {
            verdict = Verdict::Error("item-not-found");
        } else if let Some(from) = from.filter(|from| !self.federation.serves(from.as_str())) {
            if self.there.as_ref() != Some(&from) || self.proof.is_none() {
                self.proof = self.prove(from.as_str()).await?;
            }
            if self.proof.is_some() {
                self.there = Some(from);
                verdict = Verdict::Valid;
            }
        }
        dialback::write_answer(&mut self.talk.out, "result", &asked, (None, verdict));
        Ok(if verdict == Verdict::Valid { Turn::Admitted } else { Turn::Go })
    }

    /// The stream after SASL is between the same two.
    async fn restarted(&mut self) -> Result<(), Fault> {
        self.talk.restart();
        let here = self.here.clone();
        let header = self.header().await?;
        let there = header.from.map(|from| from.domain().to_owned());
        if there.is_some() && there != self.there {
            return Err(StreamError::from(Condition::InvalidFrom).into());
        }
        if self.here != here {
            return Err(StreamError::from(Condition::HostUnknown).into());
        }
        self.offered_management = true;
        self.talk.say(&stream_features([features::sm(), features::dialback(), self.federation.limits()]));
        self.talk.flush().await
    }

    fn stream(self) -> Option<Box<Stream>> {
        let (here, there, proof) = (self.here?, self.there?, self.proof?);
        let admitted = self.federation.policy(&here, &there, &proof).is_ok();
        let links = &self.federation.router.links;
        let sends = self.bidi.filter(|_| admitted).and_then(|_| links.attach((&here, &there)));
        admitted.then(|| {
            Box::new(Stream {
                io: self.talk.io,
                reader: self.talk.reader,
                out: self.talk.out,
                there,
                proof,
                sends,
                receives: true,
                awaits_management: self.offered_management,
                max_bytes: self.bidi.flatten(),
                management: Management::off(),
            })
        })
    }

    async fn end(mut self, fault: Fault) {
        if !self.talk.is_open() {
            self.talk.open(&self.federation.default_host(), None, Some(&self.federation.router.entropy.id()));
        }
        self.talk.end(fault).await;
    }
}
