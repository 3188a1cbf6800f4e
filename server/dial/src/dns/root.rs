//! Whether the name servers deliver DNSSEC at all. It is decided on the root zone: keys that the anchors prove, and a
//! record that the keys prove (servers that strip signatures deliver the keys alone). If they do not, nothing is judged:
//! no answer is proven and none is bogus. Who breaks one zone cannot bring this about. Once proven, the root stays proven
//! until the process ends: servers that deliver no more make lookups fail, they do not switch DANE off.

use super::{
    build::Recipe,
    proof::{Judging, judge},
};
use crate::{settings::DialFault, target::Unreachable};
use hickory_resolver::{
    TokioResolver,
    proto::rr::{Name, RecordType},
};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{self, Instant};

/// The root is asked for again after so long.
const AGAIN: Duration = Duration::from_secs(600);
/// The same, when the servers could not be heard.
const SOON: Duration = Duration::from_secs(60);
/// For all that is asked about the root: somebody waits.
const PATIENCE: Duration = Duration::from_secs(3);
/// Questions after which a validating resolver is made anew: its memory of proofs has no bound that could be set.
const QUESTIONS: usize = 2048;

#[derive(Clone, Copy)]
enum State {
    Unknown,
    Proven,
    Unproven { until: Instant },
}

struct Validating {
    resolver: TokioResolver,
    left: usize,
}

/// The resolvers, and which of them is to be asked.
pub(super) struct Root {
    recipe: Recipe,
    plain: TokioResolver,
    validating: Mutex<Validating>,
    state: Mutex<State>,
    checking: tokio::sync::Mutex<()>,
}

impl Root {
    pub(super) fn new(recipe: Recipe) -> Result<Self, DialFault> {
        let validating = Validating { resolver: recipe.validating()?, left: QUESTIONS };
        Ok(Self {
            plain: recipe.plain()?,
            validating: Mutex::new(validating),
            state: Mutex::new(State::Unknown),
            checking: tokio::sync::Mutex::new(()),
            recipe,
        })
    }

    /// The resolver to ask, and what its answers are worth.
    pub(super) async fn resolver(&self) -> Result<(TokioResolver, Judging), Unreachable> {
        if self.is_proven().await {
            Ok((self.validating()?, Judging::Proofs))
        } else {
            Ok((self.plain.clone(), Judging::Nothing))
        }
    }

    /// Whether DNSSEC is judged; asks for the root when it is time.
    pub(super) async fn is_proven(&self) -> bool {
        if let Some(proven) = self.decided() {
            return proven;
        }
        let _one = match self.checking.try_lock() {
            Ok(one) => one,
            // One asks again; the others go on.
            Err(_) if matches!(self.state(), State::Unproven { .. }) => return false,
            Err(_) => self.checking.lock().await,
        };
        if let Some(proven) = self.decided() {
            return proven;
        }
        let verdict = time::timeout(PATIENCE, self.check()).await.unwrap_or(Err(Unreachable::TimedOut));
        let former = self.settle(&verdict);
        if verdict != Ok(true) && matches!(former, State::Unknown) {
            tracing::warn!("the name servers deliver no DNSSEC proof for the root zone: TLSA records are not heeded");
        }
        verdict == Ok(true)
    }

    fn state(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decided(&self) -> Option<bool> {
        match self.state() {
            State::Proven => Some(true),
            State::Unproven { until } if Instant::now() < until => Some(false),
            State::Unproven { .. } | State::Unknown => None,
        }
    }

    fn settle(&self, verdict: &Result<bool, Unreachable>) -> State {
        let now = Instant::now();
        let new = match verdict {
            Ok(true) => State::Proven,
            Err(Unreachable::TimedOut) => State::Unproven { until: now + SOON },
            Ok(false) | Err(_) => State::Unproven { until: now + AGAIN },
        };
        std::mem::replace(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner), new)
    }

    async fn check(&self) -> Result<bool, Unreachable> {
        let resolver = self.validating()?;
        for kind in [RecordType::DNSKEY, RecordType::SOA] {
            let answer = judge(resolver.lookup(Name::root(), kind).await, &Name::root(), kind, Judging::Proofs)?;
            if !answer.secure || answer.records.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn validating(&self) -> Result<TokioResolver, Unreachable> {
        let mut validating = self.validating.lock().unwrap_or_else(PoisonError::into_inner);
        if validating.left == 0 {
            let resolver = self.recipe.validating().map_err(|_| Unreachable::TimedOut)?;
            *validating = Validating { resolver, left: QUESTIONS };
        }
        validating.left = validating.left.saturating_sub(1);
        Ok(validating.resolver.clone())
    }
}
