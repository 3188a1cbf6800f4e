//! The server's end of the admin socket. Every connection is served by the one future of [`serve`]: no tasks of its own,
//! at most [`MAX_CONNECTIONS`] at a time, each cut when it is silent for [`IDLE`].

use super::{
    Admin,
    protocol::{LineError, Outcome, PAGE, Request, Response, WireAccount, read_line, write_line},
};
use crate::permissions;
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use jid::{BareJid, DomainPart};
use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::BufReader,
    net::{UnixListener, UnixStream},
    time::{sleep, timeout},
};

/// Connections at the same time; more wait in the backlog.
const MAX_CONNECTIONS: usize = 8;
/// A connection that asks nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(30);
/// After a failed accept (too many open files).
const BACK_OFF: Duration = Duration::from_millis(200);

/// Why there is no admin socket.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A server answers there.
    #[error("{}: another Bocage uses this socket; stop it, or give this one a data_dir of its own", .0.display())]
    InUse(PathBuf),
    /// The system said no.
    #[error("{}: cannot make the admin socket: {cause}", .path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

/// Makes the socket with mode 0600. One that a killed server left behind is replaced; a living one is not.
///
/// # Errors
/// See [`BindError`].
pub async fn bind(path: &Path) -> Result<UnixListener, BindError> {
    let failed = |cause| BindError::Io { path: path.to_owned(), cause };
    if UnixStream::connect(path).await.is_ok() {
        return Err(BindError::InUse(path.to_owned()));
    }
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        permissions::make_private_dir(dir).map_err(failed)?;
    }
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(failed(cause)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    // Until the next line others may connect where the directory lets them; who they are is asked at accept.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Serves until it is dropped.
pub async fn serve(listener: &UnixListener, admin: &dyn Admin) {
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) if is_operator(&stream) => connections.push(converse(stream, admin)),
                Ok(_) => tracing::warn!("somebody who is neither root nor the server's user tried the admin socket"),
                Err(_) => sleep(BACK_OFF).await,
            },
            Some(()) = connections.next() => {}
        }
    }
}

/// Root and the server's own user.
fn is_operator(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

async fn converse(stream: UnixStream, admin: &dyn Admin) {
    let mut stream = BufReader::new(stream);
    while let Ok(Ok(Some(response))) = timeout(IDLE, next(&mut stream, admin)).await {
        match timeout(IDLE, write_line(&mut stream, &response)).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}

/// Reads a request and does it. What cannot be understood is answered and the connection goes on at the next line.
async fn next(stream: &mut BufReader<UnixStream>, admin: &dyn Admin) -> Result<Option<Response>, LineError> {
    match read_line::<Request>(stream).await {
        Ok(None) => Ok(None),
        Ok(Some(request)) => Ok(Some(answer(request, admin).await)),
        Err(LineError::Garbled(text)) => Ok(Some(Response::Failed { text })),
        Err(error) => Err(error),
    }
}

async fn answer(request: Request, admin: &dyn Admin) -> Response {
    match request {
        Request::Create { accounts } => create(accounts, admin).await,
        Request::SetKeys { account } => match parsed(&account) {
            Some((jid, keys)) => changed(admin.set_keys(jid, keys).await),
            None => malformed(),
        },
        Request::Delete { account } => match account.parse() {
            Ok(jid) => changed(admin.delete(jid).await),
            Err(_) => malformed(),
        },
        Request::Revoke { account } => match account.parse() {
            Ok(jid) => changed(admin.revoke(jid).await),
            Err(_) => malformed(),
        },
        Request::List { host, after } => list(&host, after.as_deref(), admin).await,
        Request::Peers { ask } => words(admin.peers(ask).await),
        Request::Reload {} => words(admin.reload().await),
        Request::AuditData {} => words(admin.audit().await),
        Request::Expire { clock } => words(admin.expire(clock).await),
        Request::Health {} => match admin.health().await {
            Ok(()) => Response::Done { text: "healthy".to_owned() },
            Err(text) => Response::Failed { text },
        },
    }
}

fn words(result: Result<String, String>) -> Response {
    match result {
        Ok(text) => Response::Done { text },
        Err(text) => Response::Failed { text },
    }
}

async fn create(accounts: Vec<WireAccount>, admin: &dyn Admin) -> Response {
    if accounts.len() > PAGE {
        return malformed();
    }
    let one = async |account: WireAccount| match parsed(&account) {
        Some((jid, keys)) => Outcome::from(admin.create(jid, keys).await),
        None => Outcome::Failed("malformed account".to_owned()),
    };
    Response::Created { outcomes: join_all(accounts.into_iter().map(one)).await }
}

async fn list(host: &str, after: Option<&str>, admin: &dyn Admin) -> Response {
    let Ok(host) = host.parse::<DomainPart>() else { return malformed() };
    match admin.list(host).await {
        Ok(all) => {
            let mut page: Vec<String> = all.into_iter().map(|jid| jid.to_string()).collect();
            page.sort_unstable();
            page.retain(|jid| after.is_none_or(|after| jid.as_str() > after));
            page.truncate(PAGE);
            Response::Accounts { accounts: page }
        }
        Err(error) => Response::Failed { text: error.to_string() },
    }
}

fn parsed(account: &WireAccount) -> Option<(BareJid, bocage_api::store::AccountKeys)> {
    let jid: BareJid = account.account.parse().ok()?;
    jid.node().is_some().then_some(())?;
    Some((jid, account.keys()?))
}
fn changed(result: bocage_api::store::Stored<bool>) -> Response {
    match result {
        Ok(found) => Response::Changed { found },
        Err(error) => Response::Failed { text: error.to_string() },
    }
}
fn malformed() -> Response {
    Response::Failed { text: "the request is malformed".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::Client;
    use bocage_api::{
        BoxFuture,
        store::{AccountKeys, Creation, Stored, StoredKeys},
    };
    use std::{collections::BTreeMap, sync::Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[derive(Default)]
    struct Fake(Mutex<BTreeMap<String, AccountKeys>>);
    impl Admin for Fake {
        fn create(&self, account: BareJid, keys: AccountKeys) -> BoxFuture<'_, Stored<Creation>> {
            let taken = self.0.lock().unwrap().insert(account.to_string(), keys).is_some();
            Box::pin(async move { Ok(if taken { Creation::Exists } else { Creation::Created }) })
        }
        fn set_keys(&self, account: BareJid, keys: AccountKeys) -> BoxFuture<'_, Stored<bool>> {
            Box::pin(async move { Ok(self.0.lock().unwrap().insert(account.to_string(), keys).is_some()) })
        }
        fn delete(&self, account: BareJid) -> BoxFuture<'_, Stored<bool>> {
            Box::pin(async move { Ok(self.0.lock().unwrap().remove(&account.to_string()).is_some()) })
        }
        fn revoke(&self, account: BareJid) -> BoxFuture<'_, Stored<bool>> {
            Box::pin(async move { Ok(self.0.lock().unwrap().contains_key(&account.to_string())) })
        }
        fn list(&self, _: DomainPart) -> BoxFuture<'_, Stored<Vec<BareJid>>> {
            Box::pin(async move { Ok(self.0.lock().unwrap().keys().map(|jid| jid.parse().unwrap()).collect()) })
        }
        fn audit(&self) -> BoxFuture<'_, Result<String, String>> {
            Box::pin(async { Ok("nothing".to_owned()) })
        }
        fn expire(&self, clock: crate::admin::ClockIs) -> BoxFuture<'_, Result<String, String>> {
            Box::pin(async move { Ok(format!("{clock:?}")) })
        }
        fn peers(&self, request: crate::admin::PeersRequest) -> BoxFuture<'_, Result<String, String>> {
            Box::pin(async move { Ok(format!("{request:?}")) })
        }
        fn reload(&self) -> BoxFuture<'_, Result<String, String>> {
            Box::pin(async { Ok("nothing changed".to_owned()) })
        }
        fn health(&self) -> BoxFuture<'_, Result<(), String>> {
            Box::pin(async { Err("the store is read-only".to_owned()) })
        }
    }

    fn keys() -> AccountKeys {
        let keys =
            StoredKeys { salt: vec![1], iterations: 4_096, stored_key: vec![2; 32].into(), server_key: vec![3; 32].into() };
        AccountKeys { sha256: Some(keys), sha1: None }
    }

    async fn with_server<F: Future<Output = ()>>(test: impl FnOnce(PathBuf) -> F) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/admin.sock");
        let listener = bind(&path).await.unwrap();
        let fake = Fake::default();
        tokio::select! {
            () = serve(&listener, &fake) => {}
            () = test(path) => {}
        }
    }

    #[tokio::test]
    async fn accounts_come_go_and_are_listed_in_pages() {
        with_server(|path| async move {
            let mut client = Client::connect(&path).await.unwrap();
            let accounts: Vec<_> = (0..300).map(|n| (format!("u{n:03}@a.example").parse().unwrap(), keys())).collect();
            let outcomes = client.create(&accounts).await.unwrap();
            assert_eq!(outcomes, vec![Outcome::Created; 300]);
            assert_eq!(client.create(&accounts[..1]).await.unwrap(), [Outcome::Exists]);
            let list = client.list(&"a.example".parse().unwrap()).await.unwrap();
            assert_eq!(list.len(), 300);
            assert_eq!(list.last().unwrap().to_string(), "u299@a.example");
            assert!(client.delete(&list[0]).await.unwrap());
            assert!(!client.delete(&list[0]).await.unwrap());
            assert!(client.set_keys(&list[1], &keys()).await.unwrap());
            assert!(client.revoke(&list[1]).await.unwrap() && !client.revoke(&list[0]).await.unwrap());
            let ask = crate::admin::PeersRequest::Block { domain: "odd.example".to_owned() };
            assert_eq!(client.peers(ask).await.unwrap(), "Block { domain: \"odd.example\" }");
            assert_eq!(client.reload().await.unwrap(), "nothing changed");
            assert_eq!(client.health().await.unwrap_err().to_string(), "the store is read-only");
        })
        .await;
    }

    #[tokio::test]
    async fn the_socket_is_private_and_a_second_server_is_refused() {
        with_server(|path| async move {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(matches!(bind(&path).await, Err(BindError::InUse(_))));
        })
        .await;
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        drop(bind(&path).await.unwrap());
        assert!(path.exists());
        bind(&path).await.unwrap();
    }

    #[tokio::test]
    async fn nonsense_is_answered_and_endless_lines_are_cut() {
        with_server(|path| async move {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            stream.write_all(b"{\"do\":\"explode\"}\n{\"do\":\"reload\"}\n").await.unwrap();
            let mut answers = BufReader::new(&mut stream);
            assert!(matches!(read_line(&mut answers).await.unwrap(), Some(Response::Failed { .. })));
            assert!(matches!(read_line(&mut answers).await.unwrap(), Some(Response::Done { .. })));
            let long = vec![b'x'; 1 << 20];
            let _ = stream.write_all(&long).await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            assert!(rest.is_empty());
        })
        .await;
    }
}
