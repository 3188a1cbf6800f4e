//! The command line's end of the admin socket.

use super::protocol::{ClockIs, LineError, Outcome, PAGE, PeersRequest, Request, Response, WireAccount, read_line, write_line};
use bocage_api::store::AccountKeys;
use jid::{BareJid, DomainPart};
use std::{io, path::Path};
use tokio::{io::BufReader, net::UnixStream};

/// A connection to the running server.
pub(crate) struct Client(BufReader<UnixStream>);

/// Why the server did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The socket failed.
    #[error("the running server cannot be spoken to: {0}")]
    Line(#[from] LineError),
    /// It hung up.
    #[error("the running server closed the connection")]
    Closed,
    /// It said no.
    #[error("{0}")]
    Refused(String),
    /// It answered something else.
    #[error("the running server answered something else; is it of another version?")]
    Unexpected,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// `NotFound` and `ConnectionRefused` mean that no server runs.
    pub(crate) async fn connect(path: &Path) -> io::Result<Self> {
        UnixStream::connect(path).await.map(|stream| Self(BufReader::new(stream)))
    }

    pub(crate) async fn create(&mut self, accounts: &[(BareJid, AccountKeys)]) -> Result<Vec<Outcome>, ClientError> {
        let mut all = Vec::with_capacity(accounts.len());
        for page in accounts.chunks(PAGE) {
            let accounts = page.iter().map(|(jid, keys)| WireAccount::new(jid.to_string(), keys)).collect();
            match self.ask(Request::Create { accounts }).await? {
                Response::Created { outcomes } => all.extend(outcomes),
                _ => return Err(ClientError::Unexpected),
            }
        }
        Ok(all)
    }

    pub(crate) async fn set_keys(&mut self, account: &BareJid, keys: &AccountKeys) -> Result<bool, ClientError> {
        let account = WireAccount::new(account.to_string(), keys);
        self.change(Request::SetKeys { account }).await
    }

    pub(crate) async fn delete(&mut self, account: &BareJid) -> Result<bool, ClientError> {
        self.change(Request::Delete { account: account.to_string() }).await
    }

    pub(crate) async fn revoke(&mut self, account: &BareJid) -> Result<bool, ClientError> {
        self.change(Request::Revoke { account: account.to_string() }).await
    }

    pub(crate) async fn list(&mut self, host: &DomainPart) -> Result<Vec<BareJid>, ClientError> {
        let mut all: Vec<BareJid> = Vec::new();
        loop {
            let after = all.last().map(ToString::to_string);
            let page = match self.ask(Request::List { host: host.to_string(), after }).await? {
                Response::Accounts { accounts } => accounts,
                _ => return Err(ClientError::Unexpected),
            };
            let last = page.len() < PAGE;
            all.extend(page.iter().filter_map(|jid| jid.parse().ok()));
            if last {
                return Ok(all);
            }
        }
    }

    pub(crate) async fn peers(&mut self, ask: PeersRequest) -> Result<String, ClientError> {
        self.words(Request::Peers { ask }).await
    }

    pub(crate) async fn reload(&mut self) -> Result<String, ClientError> {
        self.words(Request::Reload {}).await
    }

    pub(crate) async fn health(&mut self) -> Result<String, ClientError> {
        self.words(Request::Health {}).await
    }

    pub(crate) async fn audit_data(&mut self) -> Result<String, ClientError> {
        self.words(Request::AuditData {}).await
    }

    pub(crate) async fn expire(&mut self, clock: ClockIs) -> Result<String, ClientError> {
        self.words(Request::Expire { clock }).await
    }

    async fn words(&mut self, request: Request) -> Result<String, ClientError> {
        match self.ask(request).await? {
            Response::Done { text } => Ok(text),
            _ => Err(ClientError::Unexpected),
        }
    }

    async fn change(&mut self, request: Request) -> Result<bool, ClientError> {
        match self.ask(request).await? {
            Response::Changed { found } => Ok(found),
            _ => Err(ClientError::Unexpected),
        }
    }

    async fn ask(&mut self, request: Request) -> Result<Response, ClientError> {
        write_line(&mut self.0, &request).await?;
        match read_line(&mut self.0).await?.ok_or(ClientError::Closed)? {
            Response::Failed { text } => Err(ClientError::Refused(text)),
            response => Ok(response),
        }
    }
}
