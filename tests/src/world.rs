//! Several servers that find each other: names, addresses, certificates.

use crate::{Authority, Leaf, Recorder, Resolver, Usage, Zone, authority::NAMES, loopback};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// How a server says in DNS that others shall come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `_xmpp-server`, with STARTTLS.
    Starttls,
    /// `_xmpps-server`, with TLS from the first byte (XEP-0368).
    Direct,
    /// Not at all.
    Hidden,
}

/// Where one server is to be.
pub struct Site {
    /// What it serves.
    pub domain: &'static str,
    /// Clients, with TLS from the first byte.
    pub c2s: SocketAddr,
    /// Servers, with STARTTLS.
    pub s2s: SocketAddr,
    /// Servers, with TLS from the first byte.
    pub s2s_direct: SocketAddr,
    /// Its operator.
    pub admin: SocketAddr,
    /// In front of what DNS tells.
    pub front: Recorder,
}

/// What they have in common. To be dropped last.
pub struct World {
    /// Whose certificates they trust.
    pub authority: Authority,
    /// Names that are known.
    pub zone: Zone,
    /// A name server that signs, with the file of its root's key: servers of ours ask it instead.
    pub signed: Option<(SocketAddr, PathBuf)>,
    resolver: Option<Resolver>,
    directory: TempDir,
}

impl World {
    /// A world with no server yet.
    #[must_use]
    pub fn new() -> Self {
        let directory = TempDir::with_prefix("world").unwrap();
        let authority = Authority::new("the authority of a test");
        fs::write(directory.path().join("authority.pem"), &authority.pem).unwrap();
        Self { authority, zone: Zone::default(), signed: None, resolver: None, directory }
    }
    /// A place for a server, with a certificate.
    pub fn site(&mut self, domain: &'static str, way: Way, usage: Usage) -> Site {
        let site = Site::at(domain, loopback::address(), way);
        for name in NAMES.map(|name| format!("{name}{domain}")) {
            let service = match way {
                Way::Starttls => "_xmpp-server",
                Way::Direct => "_xmpps-server",
                Way::Hidden => continue,
            };
            self.zone.server(service, &name, site.front.address);
        }
        self.certify(&site, &self.authority.leaf(domain, usage));
        site
    }
    /// Gives it this certificate.
    pub fn certify(&self, site: &Site, leaf: &Leaf) {
        leaf.install(&self.tls(site), site.domain);
    }
    /// From now on the names are known; sites that come later are not.
    pub async fn publish(&mut self) {
        match &mut self.resolver {
            Some(resolver) => resolver.restart(&self.zone).await,
            None => self.resolver = Some(Resolver::start(&self.zone, self.directory.path()).await),
        }
    }
    /// Who answers for the names.
    #[must_use]
    pub fn resolver(&self) -> &Resolver {
        self.resolver.as_ref().expect("it is published")
    }
    /// The same, to stop it.
    pub fn resolver_mut(&mut self) -> &mut Resolver {
        self.resolver.as_mut().expect("it is published")
    }
    /// The file with the certificate that all trust.
    #[must_use]
    pub fn anchor(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }
    /// Files of the server at `site`.
    #[must_use]
    pub fn home(&self, site: &Site) -> PathBuf {
        self.directory.path().join(site.domain)
    }
    /// Its certificate's folder.
    #[must_use]
    pub fn tls(&self, site: &Site) -> PathBuf {
        self.home(site).join("tls")
    }
    /// All files.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Site {
    fn at(domain: &'static str, address: Ipv4Addr, way: Way) -> Self {
        // Held until all are known, so that they differ.
        let held: [_; 4] = std::array::from_fn(|_| std::net::TcpListener::bind((address, 0)).unwrap());
        let [c2s, s2s, s2s_direct, admin] = held.each_ref().map(|listener| listener.local_addr().unwrap());
        let front = Recorder::to(if way == Way::Direct { s2s_direct } else { s2s }, address);
        Self { domain, c2s, s2s, s2s_direct, admin, front }
    }
    /// Where it is.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        match self.s2s.ip() {
            std::net::IpAddr::V4(address) => address,
            std::net::IpAddr::V6(_) => unreachable!("sites have IPv4 addresses"),
        }
    }
}
