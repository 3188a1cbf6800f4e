//! Whole servers to federate with: two of the field, as Debian has them, and our own.

mod ejabberd;
mod prosody;

use crate::{Direct, Leaf, Leash, Person, Site, Village, World};
use bocage::machine_clock;
use std::path::PathBuf;
use tempfile::TempDir;

/// Which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ours, in the test's process.
    Bocage,
    /// With bidirectional streams (XEP-0288).
    Prosody,
    /// It has no bidirectional streams.
    Ejabberd,
}

/// Who has an account everywhere; the password is the name and "-password".
pub const PEOPLE: [&str; 2] = ["romeo", "juliet"];

/// A server at its site.
pub struct Peer {
    /// Where.
    pub site: Site,
    /// Which.
    pub kind: Kind,
    more: String,
    anchor: PathBuf,
    life: Life,
}

enum Life {
    Village(Box<Village>),
    Child(Leash),
    Over(Option<TempDir>),
}

impl Peer {
    /// Starts a server with `more` in its configuration: of ours it goes on from `[s2s]`.
    pub async fn start(world: &World, site: Site, kind: Kind, more: &str) -> Self {
        let mut peer = Self { site, kind, more: more.to_owned(), anchor: world.anchor(), life: Life::Over(None) };
        peer.start_again(world).await;
        peer
    }
    /// Its clients trust what is in `anchor` instead.
    #[must_use]
    pub fn trusted_by(self, anchor: PathBuf) -> Self {
        Self { anchor, ..self }
    }
    /// Starts it again with what it had stored.
    pub async fn start_again(&mut self, world: &World) {
        let dir = match &mut self.life {
            Life::Over(dir) => dir.take(),
            _ => panic!("it runs"),
        };
        self.life = match self.kind {
            Kind::Prosody => Life::Child(prosody::start(world, &self.site, &self.more).await),
            Kind::Ejabberd => Life::Child(ejabberd::start(world, &self.site, &self.more).await),
            Kind::Bocage => {
                let (dir, people) = match dir {
                    Some(dir) => (dir, [].as_slice()),
                    None => (TempDir::with_prefix("village").unwrap(), PEOPLE.as_slice()),
                };
                let toml = village(world, &self.site, &self.more);
                let at = (self.site.domain, world.anchor());
                Life::Village(Box::new(Village::among(at, (dir, world.tls(&self.site)), &toml, (people, machine_clock())).await))
            }
        };
    }
    /// Lets it do nothing any more; what it is sent waits in its machine. Not ours, which is in this process.
    pub async fn freeze(&mut self) {
        match &mut self.life {
            Life::Child(child) => child.freeze().await,
            _ => panic!("ours, or over"),
        }
    }
    /// Ends it: ours in order, the others by SIGKILL.
    pub async fn stop(&mut self) {
        self.life = match std::mem::replace(&mut self.life, Life::Over(None)) {
            Life::Village(village) => Life::Over(Some(village.stop().await)),
            Life::Child(mut child) => {
                child.kill();
                Life::Over(None)
            }
            Life::Over(_) => panic!("it is over"),
        };
    }
    /// Gives it another certificate while it runs. Ours sees it by itself, a little later.
    pub async fn renew(&mut self, world: &World, leaf: &Leaf) {
        world.certify(&self.site, leaf);
        match &mut self.life {
            Life::Village(_) => {}
            Life::Child(child) if self.kind == Kind::Prosody => prosody::reload(child).await,
            Life::Child(_) => ejabberd::reload(&self.site).await,
            Life::Over(_) => panic!("it is over"),
        }
    }
    /// Ours.
    ///
    /// # Panics
    /// When it is another.
    #[must_use]
    pub fn village(&self) -> &Village {
        match &self.life {
            Life::Village(village) => village,
            _ => panic!("not ours, or over"),
        }
    }
    /// Somebody's bare JID.
    #[must_use]
    pub fn bare(&self, name: &str) -> String {
        format!("{name}@{}", self.site.domain)
    }
    /// Somebody with a client, who has sent no presence.
    pub async fn login(&self, name: &str) -> Person {
        Person::through(&self.connector(), &self.bare(name), &format!("{name}-password")).await
    }
    /// Somebody who is there.
    pub async fn online(&self, name: &str) -> Person {
        let mut person = self.login(name).await;
        person.send("<presence/>").await;
        person.until(|s| s.name() == "presence").await;
        person
    }
    /// How clients reach it.
    #[must_use]
    pub fn connector(&self) -> Direct {
        match &self.life {
            Life::Village(village) => Direct::new(village.connector.address, &self.anchor),
            _ => Direct::new(self.site.c2s, &self.anchor).without_binding(),
        }
    }
    /// Waits until it says that `domain` has proven itself to it by SASL EXTERNAL. Ours does not say who.
    pub async fn took_external_from(&self, domain: &str) {
        self.says(|kind| match kind {
            Kind::Prosody => prosody::took_external(domain),
            _ => ejabberd::took_external(domain),
        })
        .await;
    }
    /// Waits until it says that it has proven itself to `domain` by SASL EXTERNAL. Ours does not say to whom.
    pub async fn gave_external_to(&self, domain: &str) {
        self.says(|kind| match kind {
            Kind::Prosody => prosody::gave_external(domain),
            _ => ejabberd::gave_external(&self.site, domain),
        })
        .await;
    }
    /// Every stanza that Prosody got from other servers so far, to the byte: with its module `stanza_debug`.
    #[must_use]
    pub fn got_from_servers(&self) -> Vec<String> {
        let Life::Child(child) = &self.life else { panic!("it is ours, or over") };
        prosody::got_from_servers(child)
    }
    async fn says(&self, words: impl Fn(Kind) -> String) {
        if let Life::Child(child) = &self.life {
            child.said(0, &words(self.kind)).await;
        }
    }
}

fn village(world: &World, site: &Site, more: &str) -> String {
    let dns = match &world.signed {
        Some((address, key)) => format!("servers = [\"{address}\"]\ntrust_anchor = \"{}\"", key.display()),
        None => format!("servers = [\"{}\"]", world.resolver().address),
    };
    format!(
        "[listen]\ns2s = [\"{}\"]\ns2s_direct_tls = [\"{}\"]\n[dns]\n{dns}\n[s2s]\ntrust_anchors = \"{}\"\n{more}\n",
        site.s2s,
        site.s2s_direct,
        world.anchor().display()
    )
}
