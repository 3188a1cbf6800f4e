//! What this machine says: ports, files and who may read them.

use super::{Server, finding};
use crate::{
    config::{Config, Origin},
    permissions,
};
use bocage_api::{Finding, Severity};
use std::{
    io::ErrorKind,
    net::TcpListener,
    path::{Path, PathBuf},
};

pub(super) fn ports(config: &Config, server: Server) -> Vec<Finding> {
    let served: Vec<_> = config.listen.served().collect();
    if served.is_empty() {
        return vec![finding(Severity::Warning, "[listen]: nothing is listened to; no client can connect")];
    }
    if server == Server::Running {
        return vec![finding(Severity::Good, "ports: the server runs and has them")];
    }
    // Held together: two of ours may exclude each other.
    let mut held = Vec::new();
    let try_one = |(key, address)| match TcpListener::bind(address) {
        Ok(listener) => {
            held.push(listener);
            finding(Severity::Good, format!("[listen] {key}: {address} is free"))
        }
        Err(error) => finding(Severity::Error, format!("[listen] {key}: {}", port_trouble(address, &error))),
    };
    served.into_iter().map(try_one).collect()
}

/// Why an address cannot be listened to, and what to do.
pub(crate) fn port_trouble(address: std::net::SocketAddr, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => format!("{address} is taken by another program: stop it, or choose another port"),
        ErrorKind::PermissionDenied => format!("{address}: ports below 1024 need the capability CAP_NET_BIND_SERVICE"),
        ErrorKind::AddrNotAvailable => format!("{address} is no address of this machine"),
        _ => format!("{address}: {error}"),
    }
}

pub(super) fn files(config: &Config) -> Vec<Finding> {
    let mut all = vec![data_dir(&config.data_dir)];
    if let Origin::File(path) = &config.origin {
        all.push(configuration(path));
    }
    all.extend(closed(&config.storage.key_dir, "[storage] key_dir", Severity::Error));
    all.extend(config.storage.url.sqlite_path().and_then(|path| closed(&path, "[storage] url", Severity::Error)));
    all.extend(closed(&config.admin.socket, "[admin] socket", Severity::Error));
    all
}

fn data_dir(path: &Path) -> Finding {
    let shown = path.display();
    if !path.exists() {
        let parent = path.ancestors().skip(1).find(|p| p.exists() || p.as_os_str().is_empty());
        let parent = parent.filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        return match permissions::try_writing(&parent) {
            Ok(()) => finding(Severity::Good, format!("data_dir: {shown} is made at the first start")),
            Err(error) => finding(
                Severity::Error,
                format!("data_dir: {shown} is missing and cannot be made in {}: {error}", parent.display()),
            ),
        };
    }
    match permissions::try_writing(path) {
        Err(error) => finding(Severity::Error, format!("data_dir: {shown} cannot be written: {error}")),
        Ok(()) if permissions::open_to_all(path) => {
            finding(Severity::Warning, format!("data_dir: every user may look into {shown}: chmod 0700 it (H71)"))
        }
        Ok(()) => finding(Severity::Good, format!("data_dir: {shown} is ours alone")),
    }
}

/// That it holds no secret which everybody may read is seen when it is read.
fn configuration(path: &Path) -> Finding {
    let shown = path.display();
    if permissions::others(path) & 0o002 != 0 {
        return finding(Severity::Error, format!("configuration: every user may change {shown}: chmod o-w it (H71)"));
    }
    finding(Severity::Good, format!("configuration: {shown} has no mistakes"))
}

/// Nothing to say about what is not there yet; readable by all is `severity`.
fn closed(path: &Path, what: &str, severity: Severity) -> Option<Finding> {
    if !path.exists() {
        return None;
    }
    let shown = path.display();
    if permissions::open_to_all(path) {
        return Some(finding(severity, format!("{what}: every user may read {shown}: chmod o= it (H71)")));
    }
    Some(finding(Severity::Good, format!("{what}: {shown} is closed to others")))
}
