//! `bocage run` without any configuration: a newcomer logs in within a minute. Loopback only, so that nothing of the
//! shortcut (two accounts, a certificate that nobody vouches for) can be reached from elsewhere.

use crate::{
    cli::{Store, out},
    config::{Config, Host},
    secret::{derive, new_password},
};
use anyhow::Context;
use bocage_api::store::Creation;
use bocage_tls::Fingerprint;
use jid::BareJid;
use secrecy::{ExposeSecret, SecretString};

/// Takes the place of the file.
pub(crate) const CONFIG: &str = r#"
domain = "localhost"
data_dir = "./bocage-data"
[listen]
c2s = ["127.0.0.1:5222", "[::1]:5222"]
c2s_direct_tls = ["127.0.0.1:5223", "[::1]:5223"]
s2s = []
s2s_direct_tls = []
"#;

const NEWCOMERS: [&str; 2] = ["alice", "bob"];

/// Makes the two accounts at the first start, and says how to log in.
///
/// # Errors
/// When the store fails.
pub(crate) async fn welcome(config: &Config, fingerprint: Option<&Fingerprint>) -> anyhow::Result<()> {
    let Some(host) = config.hosts.first() else { return Ok(()) };
    let made = first_accounts(config, host).await?;
    out(&greeting(config, fingerprint, &made));
    Ok(())
}

/// Accounts with their passwords; none when there are accounts already.
async fn first_accounts(config: &Config, host: &Host) -> anyhow::Result<Vec<(BareJid, SecretString)>> {
    let store = Store::open(config).await?;
    let made =
        if store.accounts().list(&host.domain).await?.is_empty() { create(config, host, &store).await } else { Ok(Vec::new()) };
    store.close().await;
    made
}

async fn create(config: &Config, host: &Host, store: &Store) -> anyhow::Result<Vec<(BareJid, SecretString)>> {
    let mut made = Vec::new();
    for name in NEWCOMERS {
        let jid: BareJid = format!("{name}@{}", host.domain).parse().context("the address of a first account")?;
        let password = new_password();
        if store.accounts().create(jid.clone(), derive(&password, &config.auth)?).await? == Creation::Created {
            made.push((jid, password));
        }
    }
    Ok(made)
}

fn greeting(config: &Config, fingerprint: Option<&Fingerprint>, made: &[(BareJid, SecretString)]) -> String {
    let addresses = |list: &[crate::config::Listener]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    let mut text = format!(
        "Bocage runs without a configuration: on this machine only, for the domain {domain}.\n\
         \x20 STARTTLS     {c2s}\n\
         \x20 direct TLS   {direct}\n\
         \x20 data         {data}\n",
        domain = config.domain(),
        c2s = addresses(&config.listen.c2s),
        direct = addresses(&config.listen.c2s_direct_tls),
        data = config.data_dir.display(),
    );
    if let Some(fingerprint) = fingerprint {
        text += &format!("  certificate  SHA-256 {fingerprint}\n");
    }
    if !made.is_empty() {
        text += "Two accounts were made. Their passwords are shown this once:\n";
    }
    for (jid, password) in made {
        text += &format!("  {jid}  {}\n", password.expose_secret());
    }
    text + "Point a client at it: log in as alice@localhost or bob@localhost, set the server to 127.0.0.1 and the port to 5222\n\
            (or 5223 for direct TLS), and when the client asks about the certificate, trust this fingerprint.\n"
}
