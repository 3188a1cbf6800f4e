//! Debian's ejabberd without Erlang's distribution: no node name to clash, no epmd to leave behind. Its operator's
//! interface is HTTP on loopback.

use super::PEOPLE;
use crate::{Leash, Site, World, soon};
use std::{fs, net::SocketAddr, path::PathBuf};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(super) async fn start(world: &World, site: &Site, more: &str) -> Leash {
    let home = world.home(site);
    fs::create_dir_all(home.join("spool")).unwrap();
    fs::write(home.join("ejabberd.yml"), configuration(world, site, more)).unwrap();
    fs::write(home.join("inetrc"), resolver(world.resolver().literal)).unwrap();
    let spool = format!("\"{}\"", home.join("spool").display());
    let (config, log, inetrc) = (home.join("ejabberd.yml"), home.join("ejabberd.log"), home.join("inetrc"));
    let libraries = libraries();
    let environment = [
        ("EJABBERD_CONFIG_PATH", config.to_str().unwrap()),
        ("EJABBERD_LOG_PATH", log.to_str().unwrap()),
        ("ERL_INETRC", inetrc.to_str().unwrap()),
        ("ERL_LIBS", libraries.to_str().unwrap()),
        ("ERL_CRASH_DUMP_BYTES", "0"),
        ("HOME", home.to_str().unwrap()),
    ];
    let command = ["/usr/bin/erl", "+K", "true", "-noinput", "-mnesia", "dir", &spool, "-s", "ejabberd"];
    let child = Leash::hold(&command, &home, &environment);
    child.started(&["is started in the node"]).await;
    people(site).await;
    child
}

/// Where Debian has put it: a folder named after the machine.
fn libraries() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|folder| folder.unwrap().path());
    let holds = |folder: &PathBuf| {
        let mut entries = fs::read_dir(folder).into_iter().flatten().map_while(Result::ok);
        entries.any(|entry| entry.file_name().to_string_lossy().starts_with("ejabberd-"))
    };
    folders.filter(|folder| folder.is_dir()).find(holds).expect("ejabberd is missing: tests/run install")
}

/// At every start: whether it had written them down before it was killed is nothing that we test.
async fn people(site: &Site) {
    for name in PEOPLE {
        let account = format!(r#"{{"user":"{name}","host":"{}","password":"{name}-password"}}"#, site.domain);
        let answer = order(site, "register", &account).await;
        assert!(["200", "409"].contains(&answer.as_str()), "{answer}");
    }
}
pub(super) async fn reload(site: &Site) {
    assert_eq!(order(site, "reload_config", "{}").await, "200");
}

pub(super) fn took_external(domain: &str) -> String {
    format!("Accepted inbound s2s EXTERNAL authentication {domain} -> ")
}
pub(super) fn gave_external(site: &Site, domain: &str) -> String {
    format!("Accepted outbound s2s EXTERNAL authentication {} -> {domain} ", site.domain)
}

/// The status.
async fn order(site: &Site, command: &str, arguments: &str) -> String {
    let request = format!(
        "POST /api/{command} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{arguments}",
        arguments.len()
    );
    let answer = soon(async {
        let mut stream = TcpStream::connect(site.admin).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    })
    .await;
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// Erlang's own resolver, and nothing of the machine's (an empty name says: no such file).
fn resolver(address: SocketAddr) -> String {
    let ip = address.ip().to_string().replace('.', ",");
    format!("{{resolv_conf,\"\"}}.\n{{hosts_file,\"\"}}.\n{{lookup,[dns]}}.\n{{nameserver,{{{ip}}},{}}}.\n", address.port())
}

fn configuration(world: &World, site: &Site, more: &str) -> String {
    format!(
        r#"hosts: [ "{domain}" ]
loglevel: debug
log_rotate_count: 0
certfiles: [ "{tls}/{domain}.pem" ]
ca_file: "{anchor}"
acme: {{ auto: false }}
listen:
  - {{ port: {c2s}, ip: "{ip}", module: ejabberd_c2s, max_stanza_size: 1048576, shaper: none, access: all, tls: true }}
  - {{ port: {s2s}, ip: "{ip}", module: ejabberd_s2s_in, max_stanza_size: 1048576, shaper: none }}
  - {{ port: {s2s_direct}, ip: "{ip}", module: ejabberd_s2s_in, max_stanza_size: 1048576, shaper: none, tls: true }}
  - {{ port: {admin}, ip: "{ip}", module: ejabberd_http, request_handlers: {{ /api: mod_http_api }} }}
s2s_use_starttls: required
auth_method: internal
auth_password_format: plain
default_db: mnesia
api_permissions:
  operator: {{ from: [ mod_http_api ], who: {{ ip: "127.0.0.0/8" }}, what: "*" }}
modules:
  mod_admin_extra: {{}}
  mod_caps: {{}}
  mod_disco: {{}}
  mod_http_api: {{}}
  mod_muc: {{ host: "rooms.{domain}" }}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
  mod_stream_mgmt: {{}}
{more}
"#,
        domain = site.domain,
        tls = world.tls(site).display(),
        anchor = world.anchor().display(),
        ip = site.c2s.ip(),
        c2s = site.c2s.port(),
        s2s = site.s2s.port(),
        s2s_direct = site.s2s_direct.port(),
        admin = site.admin.port(),
    )
}
