//! `bocage user`: the same commands whether a server runs (over its socket) or not (on the store itself). Many accounts
//! are checked whole before the first is made.

use super::{Store, out};
use crate::{
    admin::{Client, Outcome, PAGE},
    config::Config,
    secret::{derive, derive_all, new_password},
};
use anyhow::{Context, bail, ensure};
use bocage_api::store::AccountKeys;
use clap::{Args, Subcommand};
use futures_util::future::join_all;
use jid::{BareJid, DomainPart};
use secrecy::{ExposeSecret, SecretString};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, ErrorKind},
    path::PathBuf,
    process::ExitCode,
};
use zeroize::Zeroizing;

#[derive(Subcommand)]
pub(super) enum User {
    /// Create an account, or many
    Add(Add),
    /// Give an account another password; it is logged out everywhere
    Passwd {
        /// NAME@DOMAIN
        account: BareJid,
        /// Read the password from the first line of standard input; otherwise one is made and printed
        #[arg(long)]
        password_stdin: bool,
    },
    /// Delete an account with all that is kept for it; its address is never given out again
    Del {
        /// NAME@DOMAIN
        account: BareJid,
    },
    /// End all sessions of an account, and every token by which a client could come back without its password
    Revoke {
        /// NAME@DOMAIN
        account: BareJid,
    },
    /// List the accounts
    List {
        /// Of this host only
        #[arg(long)]
        host: Option<DomainPart>,
    },
}

#[derive(Args)]
pub(super) struct Add {
    /// NAME@DOMAIN
    #[arg(required_unless_present = "from_file", conflicts_with = "from_file")]
    account: Option<BareJid>,
    /// Read the password from the first line of standard input; otherwise one is made and printed
    #[arg(long, conflicts_with = "from_file")]
    password_stdin: bool,
    /// Lines of JID, space, password; "-" is standard input
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
}

/// Where accounts are: behind the socket or in the store.
enum Backend {
    Server(Box<Client>),
    Store(Box<Store>),
}

pub(super) async fn obey(user: User, config: &Config) -> anyhow::Result<ExitCode> {
    let work = prepare(user, config)?;
    let mut backend = Backend::open(config).await?;
    let result = perform(work, &mut backend).await;
    backend.close().await;
    result
}

/// A command with everything that could be refused before a server or a store is touched.
enum Work {
    Add { accounts: Vec<(BareJid, AccountKeys)>, made: Option<SecretString> },
    Passwd { account: BareJid, keys: AccountKeys, made: Option<SecretString> },
    Del(BareJid),
    Revoke(BareJid),
    List(Vec<DomainPart>),
}

fn prepare(user: User, config: &Config) -> anyhow::Result<Work> {
    Ok(match user {
        User::Add(Add { from_file: Some(path), .. }) => Work::Add { accounts: from_file(&path, config)?, made: None },
        User::Add(Add { account: Some(account), password_stdin, .. }) => {
            let (keys, made) = new_keys(&account, password_stdin, config)?;
            Work::Add { accounts: vec![(account, keys)], made }
        }
        User::Add(_) => bail!("say which account"),
        User::Passwd { account, password_stdin } => {
            let (keys, made) = new_keys(&account, password_stdin, config)?;
            Work::Passwd { account, keys, made }
        }
        User::Del { account } => Work::Del(checked(account, config)?),
        User::Revoke { account } => Work::Revoke(checked(account, config)?),
        User::List { host: None } => Work::List(config.hosts.iter().map(|host| host.domain.clone()).collect()),
        User::List { host: Some(host) } => {
            ensure!(config.host(host.as_str()).is_some(), "{host} is not served here");
            Work::List(vec![host])
        }
    })
}

async fn perform(work: Work, backend: &mut Backend) -> anyhow::Result<ExitCode> {
    match work {
        Work::Add { accounts, made } => {
            let outcomes = backend.create(&accounts).await?;
            Ok(tell(&accounts, &outcomes, made))
        }
        Work::Passwd { account, keys, made } => {
            ensure!(backend.set_keys(&account, keys).await?, "there is no account {account}");
            out(&format!("{account} has a new password\n"));
            show(&account, made);
            Ok(ExitCode::SUCCESS)
        }
        Work::Del(account) => {
            ensure!(backend.delete(&account).await?, "there is no account {account}");
            out(&format!("{account} is deleted\n"));
            Ok(ExitCode::SUCCESS)
        }
        Work::Revoke(account) => {
            ensure!(backend.revoke(&account).await?, "there is no account {account}");
            out(&format!("{account} is logged out everywhere\n"));
            Ok(ExitCode::SUCCESS)
        }
        Work::List(hosts) => {
            for host in hosts {
                let accounts = backend.list(&host).await?;
                out(&accounts.iter().map(|jid| format!("{jid}\n")).collect::<String>());
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn tell(accounts: &[(BareJid, AccountKeys)], outcomes: &[Outcome], made: Option<SecretString>) -> ExitCode {
    let mut created = 0_usize;
    for ((jid, _), outcome) in accounts.iter().zip(outcomes) {
        match outcome {
            Outcome::Created => created += 1,
            Outcome::Exists => super::complain(&format!("{jid} exists already")),
            Outcome::Retired => super::complain(&format!("{jid} belonged to a deleted account and is not given out again")),
            Outcome::Failed(text) => super::complain(&format!("{jid} was not created: {text}")),
        }
    }
    match accounts {
        [(jid, _)] if created == 1 => {
            out(&format!("{jid} is created\n"));
            show(jid, made);
        }
        _ => out(&format!("{created} of {} accounts are created\n", accounts.len())),
    }
    if created == accounts.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(account: &BareJid, made: Option<SecretString>) {
    if let Some(password) = made {
        out(&format!("the password of {account}, shown this once: {}\n", password.expose_secret()));
    }
}

/// An account of a host that is served here.
fn checked(account: BareJid, config: &Config) -> anyhow::Result<BareJid> {
    ensure!(account.node().is_some(), "{account} is no account: write NAME@DOMAIN");
    ensure!(config.host(account.domain().as_str()).is_some(), "{} is not served here", account.domain());
    Ok(account)
}

fn new_keys(account: &BareJid, stdin: bool, config: &Config) -> anyhow::Result<(AccountKeys, Option<SecretString>)> {
    checked(account.clone(), config)?;
    if !stdin {
        let password = new_password();
        return Ok((derive(&password, &config.auth)?, Some(password)));
    }
    let mut line = Zeroizing::new(String::new());
    io::stdin().lock().read_line(&mut line).context("cannot read the password")?;
    let password = SecretString::from(line.trim_end_matches(['\r', '\n']));
    Ok((derive(&password, &config.auth)?, None))
}

fn from_file(path: &PathBuf, config: &Config) -> anyhow::Result<Vec<(BareJid, AccountKeys)>> {
    let (accounts, passwords) = if path.as_os_str() == "-" {
        read_accounts(io::stdin().lock(), config)?
    } else {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        read_accounts(BufReader::new(file), config)?
    };
    let mut result = Vec::with_capacity(accounts.len());
    for ((line, account), keys) in accounts.into_iter().zip(derive_all(&passwords, &config.auth)) {
        result.push((account, keys.with_context(|| format!("line {line}"))?));
    }
    Ok(result)
}

/// Accounts with the number of their line, and their passwords.
type Lines = (Vec<(usize, BareJid)>, Vec<SecretString>);

/// All lines that are wrong are named, by number: their text may hold a password.
fn read_accounts(lines: impl BufRead, config: &Config) -> anyhow::Result<Lines> {
    let (mut accounts, mut passwords, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    for (at, line) in lines.lines().enumerate() {
        let line = Zeroizing::new(line.context("cannot read the accounts")?);
        if line.trim().is_empty() {
            continue;
        }
        match read_account(&line, config) {
            Ok((account, password)) => {
                accounts.push((at + 1, account));
                passwords.push(password);
            }
            Err(error) => wrong.push(format!("line {}: {error}", at + 1)),
        }
    }
    ensure!(wrong.is_empty(), "no account was created:\n{}", wrong.join("\n"));
    Ok((accounts, passwords))
}

fn read_account(line: &str, config: &Config) -> anyhow::Result<(BareJid, SecretString)> {
    let (account, password) = line.split_once([' ', '\t']).context("expected JID, space, password")?;
    let account = account.parse::<BareJid>().map_err(|_| anyhow::anyhow!("the address is malformed"))?;
    Ok((checked(account, config)?, SecretString::from(password.trim_end_matches('\r'))))
}

impl Backend {
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let socket = &config.admin.socket;
        match Client::connect(socket).await {
            Ok(client) => Ok(Self::Server(Box::new(client))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                crate::permissions::make_private_dir(&config.data_dir)?;
                Ok(Self::Store(Box::new(Store::open(config).await?)))
            }
            Err(error) => Err(error).with_context(|| format!("cannot speak to the server at {}", socket.display())),
        }
    }

    async fn create(&mut self, all: &[(BareJid, AccountKeys)]) -> anyhow::Result<Vec<Outcome>> {
        let store = match self {
            Self::Server(client) => return Ok(client.create(all).await?),
            Self::Store(store) => store,
        };
        let mut outcomes = Vec::with_capacity(all.len());
        for page in all.chunks(PAGE) {
            let page = page.iter().map(|(jid, keys)| store.accounts().create(jid.clone(), keys.clone()));
            outcomes.extend(join_all(page).await.into_iter().map(Outcome::from));
        }
        Ok(outcomes)
    }

    async fn set_keys(&mut self, account: &BareJid, keys: AccountKeys) -> anyhow::Result<bool> {
        Ok(match self {
            Self::Server(client) => client.set_keys(account, &keys).await?,
            Self::Store(store) => store.accounts().set_keys(account.clone(), keys).await?,
        })
    }

    async fn delete(&mut self, account: &BareJid) -> anyhow::Result<bool> {
        Ok(match self {
            Self::Server(client) => client.delete(account).await?,
            Self::Store(store) => store.accounts().delete(account.clone()).await?,
        })
    }

    /// Sessions and tokens live and end with the server.
    async fn revoke(&mut self, account: &BareJid) -> anyhow::Result<bool> {
        Ok(match self {
            Self::Server(client) => client.revoke(account).await?,
            Self::Store(store) => store.accounts().keys(account).await?.is_some(),
        })
    }

    async fn list(&mut self, host: &DomainPart) -> anyhow::Result<Vec<BareJid>> {
        Ok(match self {
            Self::Server(client) => client.list(host).await?,
            Self::Store(store) => store.accounts().list(host).await?,
        })
    }

    async fn close(self) {
        if let Self::Store(store) = self {
            store.close().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Source, modules::Modules};

    fn config() -> Config {
        Source::new(None, []).load(&Modules::none()).unwrap()
    }

    #[test]
    fn lines_are_an_address_and_a_password_that_may_hold_spaces() {
        let text = "a@localhost one\n\nb@localhost two words \r\n";
        let (accounts, passwords) = read_accounts(text.as_bytes(), &config()).unwrap();
        let accounts: Vec<_> = accounts.iter().map(|(line, jid)| format!("{line} {jid}")).collect();
        assert_eq!(accounts, ["1 a@localhost", "3 b@localhost"]);
        assert_eq!(passwords.iter().map(|p| p.expose_secret()).collect::<Vec<_>>(), ["one", "two words "]);
    }

    #[test]
    fn all_wrong_lines_are_named_and_no_password_is_repeated() {
        let text = "hunter2\na@localhost ok\nc@elsewhere.example hunter2\n@@ hunter2\nlocalhost hunter2";
        let Err(error) = read_accounts(text.as_bytes(), &config()) else { panic!("four lines are wrong") };
        let error = error.to_string();
        assert!(!error.contains("hunter2"));
        for line in [1, 3, 4, 5] {
            assert!(error.contains(&format!("line {line}:")), "{error}");
        }
        assert!(!error.contains("line 2:"));
    }
}
