//! `bocage check`: what would go wrong, before it does. Everything is looked at as the server itself would; nothing is
//! changed but a probe file in the data directory, which is removed at once.

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

/// Is a server running with this configuration?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// It answers on the admin socket: its ports are its own.
    Running,
    /// It does not.
    Stopped,
}

/// All findings, in the order in which they are shown.
pub(crate) fn findings(config: &Config, server: Server, now: i64) -> Vec<Finding> {
    let mut all = certificates(config, now);
    all.extend(ports(config, server));
    all.extend(files(config));
    all.extend(config.relaxations().into_iter().map(|text| finding(Severity::Relaxed, text)));
    all
}

/// 0 = all is well, 1 = warnings or relaxations, 2 = errors.
pub(crate) fn exit_code(findings: &[Finding]) -> u8 {
    match findings.iter().map(|f| f.severity).max() {
        None | Some(Severity::Good) => 0,
        Some(Severity::Relaxed | Severity::Warning) => 1,
        Some(Severity::Error) => 2,
    }
}

/// Lines for people.
pub(crate) fn report(findings: &[Finding]) -> String {
    let word = |severity| match severity {
        Severity::Good => "ok     ",
        Severity::Relaxed => "relaxed",
        Severity::Warning => "warning",
        Severity::Error => "error  ",
    };
    let mut text: String = findings.iter().map(|f| format!("{}  {}\n", word(f.severity), f.text)).collect();
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let (errors, warnings, relaxed) = (count(Severity::Error), count(Severity::Warning), count(Severity::Relaxed));
    text += &format!("{errors} errors, {warnings} warnings, {relaxed} relaxations\n");
    text
}

fn finding(severity: Severity, text: impl Into<String>) -> Finding {
    Finding { severity, row: None, text: text.into() }
}

fn certificates(config: &Config, now: i64) -> Vec<Finding> {
    let directory = config.certificates();
    if config.makes_own_certificate() && !directory.exists() {
        return vec![finding(Severity::Good, "certificate: made for localhost at the first start")];
    }
    let hosts: Vec<String> = config.hosts.iter().map(|host| host.domain.to_string()).collect();
    let found = bocage_tls::inspect(&directory, &hosts, now);
    let severity = |found: &bocage_tls::Finding| match found.severity() {
        None => Severity::Good,
        Some(bocage_tls::Severity::Warning) => Severity::Warning,
        Some(bocage_tls::Severity::Error) => Severity::Error,
    };
    found.iter().map(|f| finding(severity(f), format!("certificate: {f}"))).collect()
}

fn ports(config: &Config, server: Server) -> Vec<Finding> {
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

fn files(config: &Config) -> Vec<Finding> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Mistakes, Source};
    use crate::modules::Modules;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn config(dir: &Path, more: &str) -> Result<Config, Mistakes> {
        let file = dir.join("bocage.toml");
        let data = dir.join("data");
        let text = format!("domain = \"localhost\"\ndata_dir = \"{}\"\n{more}", data.display());
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        Source::new(Some(file), []).load(&Modules::none())
    }

    fn rows(config: &Config, severity: Severity) -> Vec<String> {
        findings(config, Server::Stopped, 0).into_iter().filter(|f| f.severity == severity).map(|f| f.text).collect()
    }

    #[test]
    fn a_taken_port_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let config = config(dir.path(), &format!("[listen]\nc2s = [\"{address}\"]\nc2s_direct_tls = []")).unwrap();
        let errors = rows(&config, Severity::Error);
        assert_eq!(errors, [format!("[listen] c2s: {address} is taken by another program: stop it, or choose another port")]);
        drop(taken);
        assert_eq!(rows(&config, Severity::Error), Vec::<String>::new());
        assert_eq!(exit_code(&findings(&config, Server::Stopped, 0)), 0);
    }

    #[test]
    fn relaxations_and_open_files_are_listed() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), "[listen]\nc2s = [\"127.0.0.1:0\"]\n");
        assert!(config.is_err(), "port 0 is none");
        let config = self::config(dir.path(), "[c2s]\nrate = \"off\"\n[listen]\nc2s_direct_tls = []\nc2s = []\n").unwrap();
        fs::set_permissions(dir.path().join("bocage.toml"), fs::Permissions::from_mode(0o646)).unwrap();
        fs::create_dir_all(&config.storage.key_dir).unwrap();
        fs::set_permissions(&config.storage.key_dir, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(rows(&config, Severity::Relaxed).iter().any(|row| row.starts_with("[c2s] rate")));
        let errors = rows(&config, Severity::Error);
        assert!(errors.iter().any(|row| row.starts_with("configuration: every user may change")));
        assert!(errors.iter().any(|row| row.starts_with("[storage] key_dir: every user may read")));
        assert_eq!(exit_code(&findings(&config, Server::Stopped, 0)), 2);
    }
}
