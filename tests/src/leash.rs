//! Another program as a child that dies with the test, however the test ends.
//!
//! A shell stands between: it kills the program when its standard input ends, which the kernel sees to even when the
//! test is killed. A line on that input is the name of a signal for the program.

use crate::DEADLINE;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::RwLock,
    time::Duration,
};
use tokio::sync::watch;

const KEEPER: &str = r#""$@" < /dev/null 2>&1 & child=$!
while read -r signal; do
    kill -"$signal" "$child"
    [ "$signal" = STOP ] && while grep -hq "^State:[[:space:]]*[^T[:space:]]" "/proc/$child/task/"*/status; do sleep 0.01; done
    echo "it got $signal"
done
kill -KILL "$child" 2> /dev/null; wait "$child" 2> /dev/null"#;

/// Longer than any server takes to start on a busy machine.
const START: Duration = Duration::from_secs(90);

/// How much of what a program has said is shown with a failure.
const LAST: usize = 60;

/// Held for reading while a process is made.
static SPAWNING: RwLock<()> = RwLock::new(());

/// Makes a process.
pub(crate) fn spawn(command: &mut Command) -> Child {
    let _held = SPAWNING.read();
    command.spawn().unwrap()
}

/// Waits until no process is half made. Until it runs its own program it holds whatever was open here, with its locks.
pub(crate) fn all_are_spawned() {
    drop(SPAWNING.write());
}

/// A program on its leash, with all that it says.
pub struct Leash {
    keeper: Child,
    signals: Option<ChildStdin>,
    lines: watch::Receiver<Vec<String>>,
}

impl Leash {
    /// Starts `command`: the program, its arguments.
    #[must_use]
    pub fn hold(command: &[&str], directory: &Path, environment: &[(&str, &str)]) -> Self {
        let program = command[0];
        assert!(Path::new(program).exists(), "{program} is missing: tests/run install");
        let mut keeper = Command::new("/bin/sh");
        keeper
            .args(["-c", KEEPER, "sh"])
            .args(command)
            .current_dir(directory)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut keeper = spawn(&mut keeper);
        let output = BufReader::new(keeper.stdout.take().unwrap());
        let (said, lines) = watch::channel(Vec::new());
        std::thread::spawn(move || {
            for line in output.split(b'\n').map_while(Result::ok) {
                said.send_modify(|lines: &mut Vec<String>| lines.push(String::from_utf8_lossy(&line).into_owned()));
            }
        });
        let signals = keeper.stdin.take();
        Self { keeper, signals, lines }
    }
    /// Sends a signal: "HUP".
    pub fn signal(&mut self, name: &str) {
        writeln!(self.signals.as_mut().expect("it lives"), "{name}").unwrap();
    }
    /// Stops it as it is, and waits until each of its threads is: one learns of it first, and the others go on meanwhile.
    pub async fn freeze(&mut self) {
        let mark = self.mark();
        self.signal("STOP");
        self.said(mark, "it got STOP").await;
    }
    /// Kills it and waits for its end.
    pub fn kill(&mut self) {
        self.signals = None;
        self.keeper.wait().unwrap();
    }
    /// How much it has said: what is awaited after something is done has to come after it.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.lines.borrow().len()
    }
    /// Whether it has said something with `words`.
    #[must_use]
    pub fn has_said(&self, words: &str) -> bool {
        self.lines.borrow().iter().any(|line| line.contains(words))
    }
    /// All lines with these words.
    #[must_use]
    pub fn lines_with(&self, words: &str) -> Vec<String> {
        self.lines.borrow().iter().filter(|line| line.contains(words)).cloned().collect()
    }
    /// Waits until it has started, which it says with these words.
    pub async fn started(&self, words: &[&str]) {
        for words in words {
            if tokio::time::timeout(START, self.find(0, words)).await.is_err() {
                panic!("it never said \"{words}\":\n{}", self.last());
            }
        }
    }
    /// Waits until it has said something with `words` after `mark`.
    pub async fn said(&self, mark: usize, words: &str) {
        if tokio::time::timeout(DEADLINE, self.find(mark, words)).await.is_err() {
            panic!("it never said \"{words}\":\n{}", self.last());
        }
    }
    async fn find(&self, mut from: usize, words: &str) {
        let mut lines = self.lines.clone();
        loop {
            {
                let lines = lines.borrow_and_update();
                if lines.iter().skip(from).any(|line| line.contains(words)) {
                    return;
                }
                from = from.max(lines.len());
            }
            if lines.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
    fn last(&self) -> String {
        let lines = self.lines.borrow();
        lines[lines.len().saturating_sub(LAST)..].join("\n")
    }
}

impl Drop for Leash {
    #[expect(clippy::print_stderr, reason = "beside the failure that it explains")]
    fn drop(&mut self) {
        if std::thread::panicking() && self.signals.is_some() {
            eprintln!("--- its last words ---\n{}", self.last());
        }
        self.kill();
    }
}
