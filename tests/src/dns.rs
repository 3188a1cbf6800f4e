//! A private resolver: Debian's unbound on a loopback address, which knows a test's names and nothing of the rest of
//! the world.

use crate::{Leash, leash::spawn, loopback};
use std::{
    fmt::Write,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

const UNBOUND: &str = "/usr/sbin/unbound";

/// Records.
#[derive(Clone, Default)]
pub struct Zone {
    records: Vec<String>,
    literal: Vec<String>,
}

impl Zone {
    /// `name` is at `address`, and there is its `service` ("_xmpp-server", RFC 6120, section 3.2).
    pub fn server(&mut self, service: &str, name: &str, address: SocketAddr) {
        let (ip, port) = (address.ip(), address.port());
        let host = format!("{name}. 60 IN A {ip}");
        let at = |target: &str| format!("{service}._tcp.{name}. 60 IN SRV 0 0 {port} {target}.");
        self.records.extend([host.clone(), at(name)]);
        self.literal.extend([host, at(&ip.to_string())]);
    }
}

/// A running resolver.
pub struct Resolver {
    /// Where it answers.
    pub address: SocketAddr,
    /// Where it says addresses instead of names: ejabberd asks us for services, but the machine's own resolver for hosts.
    pub literal: SocketAddr,
    directory: PathBuf,
    processes: [Leash; 2],
}

impl Resolver {
    /// Starts one whose files are in `directory`.
    pub async fn start(zone: &Zone, directory: &Path) -> Self {
        let addresses = [loopback::port(loopback::address()), loopback::port(loopback::address())];
        let directory = directory.join("resolver");
        fs::create_dir_all(&directory).unwrap();
        // A copy: where AppArmor confines the program by its path, it may read no file of ours. Made by another process:
        // a child of another test's, forked while we write, would hold it open, and then it cannot be run.
        let copied = spawn(Command::new("/bin/cp").args([Path::new(UNBOUND), &directory.join("unbound")])).wait();
        assert!(copied.unwrap().success(), "{UNBOUND} is missing: tests/run install");
        let processes = run(&directory, addresses, zone).await;
        Self { address: addresses[0], literal: addresses[1], directory, processes }
    }
    /// The same with other records; what was asked before is forgotten.
    pub async fn restart(&mut self, zone: &Zone) {
        self.kill();
        self.processes = run(&self.directory, [self.address, self.literal], zone).await;
    }
    /// Answers no more.
    pub fn kill(&mut self) {
        self.processes.iter_mut().for_each(Leash::kill);
    }
    /// Whether anybody has asked for `name` or what is below it.
    #[must_use]
    pub fn was_asked(&self, name: &str) -> bool {
        self.processes.iter().any(|process| process.has_said(&format!("{name}. ")))
    }
}

async fn run(directory: &Path, addresses: [SocketAddr; 2], zone: &Zone) -> [Leash; 2] {
    let program = directory.join("unbound");
    let start = |name: &str, address, records| {
        fs::write(directory.join(name), configuration(directory, address, records)).unwrap();
        Leash::hold(&[program.to_str().unwrap(), "-c", name, "-d"], directory, &[])
    };
    let processes = [start("names", addresses[0], &zone.records), start("literal", addresses[1], &zone.literal)];
    for process in &processes {
        process.started(&["start of service"]).await;
    }
    processes
}

fn configuration(directory: &Path, address: SocketAddr, records: &[String]) -> String {
    let mut text = format!(
        "server:\n interface: {}@{}\n directory: \"{}\"\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n use-syslog: no\n \
         do-daemonize: no\n num-threads: 1\n module-config: \"iterator\"\n access-control: 127.0.0.0/8 allow\n \
         log-queries: yes\n local-zone: \".\" static\n",
        address.ip(),
        address.port(),
        directory.display()
    );
    for record in records {
        writeln!(text, " local-data: '{record}'").unwrap();
    }
    text.push_str("remote-control:\n control-enable: no\n");
    text
}
