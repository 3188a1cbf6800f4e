//! A module from outside the workspace: the sample crate is built with the same profile and lock, and run.

use bocage_tests::soon;
use std::{path::PathBuf, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

fn sample() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("third-party")
}

/// Builds it where everything else was built: what is the same is not compiled again.
async fn build() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| here.join("../target"), PathBuf::from);
    let lock = sample().join("Cargo.lock");
    std::fs::copy(here.join("../Cargo.lock"), &lock).unwrap();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--target-dir"])
        .arg(&target)
        .current_dir(sample())
        .status()
        .await
        .unwrap();
    std::fs::remove_file(lock).unwrap();
    assert!(status.success(), "the sample crate builds");
    target.join("release/bocage-with-greeter")
}

#[tokio::test]
async fn a_third_party_module_is_one_line_away() {
    let program = build().await;
    let out = Command::new(&program).arg("reference").output().await.unwrap();
    let reference = String::from_utf8(out.stdout).unwrap();
    assert!(reference.contains("[modules.greeter]"), "its settings are in the reference");
    let dir = tempfile::tempdir().unwrap();
    let tls = dir.path().join("tls");
    bocage_tls::ensure_self_signed(&tls, "village.example").unwrap();
    let config = dir.path().join("bocage.toml");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = format!(
        "domain = \"village.example\"\ndata_dir = \"{}\"\n[listen]\nc2s = []\nc2s_direct_tls = [\"{free}\"]\n[tls]\ncertificates = \"{}\"\n\
         [modules.greeter]\nwords = \"bonjour\"\n",
        dir.path().join("data").display(),
        tls.display()
    );
    std::fs::write(&config, text).unwrap();
    let clean = std::env::vars().filter(|(name, _)| !name.starts_with("BOCAGE_"));
    let mut child = Command::new(&program)
        .arg("--config")
        .arg(&config)
        .arg("run")
        .env_clear()
        .envs(clean)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    soon(async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("ready") {
                return;
            }
        }
        panic!("it ended before it was ready");
    })
    .await;
    child.kill().await.unwrap();
}
