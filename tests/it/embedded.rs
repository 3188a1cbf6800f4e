//! The README's first command: no configuration, two printed accounts, and a stock client that logs in with them.

use bocage_tests::{Direct, Person, soon, text};
use std::{path::PathBuf, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

/// The program beside this test's own.
fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().unwrap().with_file_name("bocage");
    assert!(path.exists(), "{} is built before the tests run (cargo build --release)", path.display());
    path
}

#[tokio::test]
async fn a_newcomer_logs_in_within_a_minute() {
    let dir = tempfile::tempdir().unwrap();
    let clean = std::env::vars().filter(|(name, _)| !name.starts_with("BOCAGE_"));
    let mut command = Command::new(program());
    command.current_dir(dir.path()).env_clear().envs(clean).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut logged = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut accounts = Vec::new();
    soon(async {
        while accounts.len() < 2 {
            let line = said.next_line().await.unwrap().expect("two accounts are printed");
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [jid, password] = words[..]
                && jid.ends_with("@localhost")
            {
                accounts.push((jid.to_owned(), password.to_owned()));
            }
        }
        while !logged.next_line().await.unwrap().expect("it starts").contains("ready") {}
    })
    .await;
    let connector = Direct::new("127.0.0.1:5223".parse().unwrap(), &dir.path().join("bocage-data/tls/localhost.crt"));
    let (alice, bob) = (&accounts[0], &accounts[1]);
    let mut alice = Person::through(&connector, &alice.0, &alice.1).await;
    let mut bob = Person::through(&connector, &bob.0, &bob.1).await;
    alice.send(&format!("<message to='{}' type='chat'><body>it works</body></message>", bob.jid)).await;
    assert_eq!(text(&bob.message().await), "it works");
    child.kill().await.unwrap();
}
