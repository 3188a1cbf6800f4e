//! Debian's Prosody, run in the foreground by whoever runs the tests.

use super::PEOPLE;
use crate::{Leash, Site, World};
use std::{fs, path::Path};

pub(super) async fn start(world: &World, site: &Site, more: &str) -> Leash {
    let home = world.home(site);
    people(&home, site.domain);
    // The whole path: it is read again from elsewhere.
    let config = home.join("prosody.cfg.lua");
    fs::write(&config, configuration(world, site, more)).unwrap();
    let child = Leash::hold(&["/usr/bin/prosody", "-F", "--config", config.to_str().unwrap()], &home, &[]);
    child.started(&["Activated service 'c2s_direct_tls'", "Activated service 's2s'", "Activated service 's2s_direct_tls'"]).await;
    child
}

pub(super) async fn reload(child: &mut Leash) {
    let mark = child.mark();
    child.signal("HUP");
    child.said(mark, "Certificates reloaded").await;
}

/// Its console names the connection before each line.
pub(super) fn got_from_servers(child: &Leash) -> Vec<String> {
    const GOT: &str = "RECV: ";
    let lines = child.lines_with(GOT);
    let lines = lines.iter().filter_map(|line| line.split_once(GOT)).filter(|(connection, _)| connection.contains("s2s"));
    lines.map(|(_, stanza)| stanza.to_owned()).collect()
}

pub(super) fn took_external(domain: &str) -> String {
    format!("Accepting SASL EXTERNAL identity from {domain}")
}
pub(super) fn gave_external(domain: &str) -> String {
    format!("SASL EXTERNAL with {domain} succeeded")
}

/// Accounts, in its own form.
fn people(home: &Path, domain: &str) {
    let accounts = home.join("data").join(domain.replace('.', "%2e")).join("accounts");
    fs::create_dir_all(&accounts).unwrap();
    for name in PEOPLE {
        fs::write(accounts.join(format!("{name}.dat")), format!("return {{ [\"password\"] = \"{name}-password\" }};\n")).unwrap();
    }
}

fn configuration(world: &World, site: &Site, more: &str) -> String {
    let (domain, home, tls) = (site.domain, world.home(site), world.tls(site));
    let (resolver, anchor, home, tls) = (world.resolver().address, world.anchor(), home.display(), tls.display());
    format!(
        r#"run_as_root = true
data_path = "{home}/data"
pidfile = "{home}/pid"
plugin_paths = {{}}
certificates = "{tls}"
log = {{ {{ levels = {{ min = "debug" }}, to = "console" }} }}
interfaces = {{ "{address}" }}
local_interfaces = {{ "{address}" }}
modules_enabled = {{ "roster"; "saslauth"; "tls"; "disco"; "ping"; "smacks"; "s2s_bidi"; "time"; "version"; "stanza_debug" }}
modules_disabled = {{ "http" }}
c2s_ports = {{}}
c2s_direct_tls_ports = {{ {c2s} }}
s2s_ports = {{ {s2s} }}
s2s_direct_tls_ports = {{ {s2s_direct} }}
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = true
authentication = "internal_plain"
storage = "internal"
ssl = {{ certificate = "{tls}/{domain}.crt"; key = "{tls}/{domain}.key"; cafile = "{anchor}" }}
c2s_direct_tls_ssl = ssl
s2s_direct_tls_ssl = ssl
unbound = {{ resolvconf = false; hoststxt = false; forward = "{nameserver}@{port}"; options = {{
  ["module-config:"] = "iterator"; ["do-not-query-localhost:"] = "no" }} }}
{more}
VirtualHost "{domain}"
Component "rooms.{domain}" "muc"
  muc_room_locking = false
"#,
        address = site.c2s.ip(),
        c2s = site.c2s.port(),
        s2s = site.s2s.port(),
        s2s_direct = site.s2s_direct.port(),
        anchor = anchor.display(),
        nameserver = resolver.ip(),
        port = resolver.port(),
    )
}
