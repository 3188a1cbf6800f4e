//! The log: standard error, one line per event, whatever bytes a peer managed to get into it. Line breaks, escape
//! sequences and characters that reorder text are shown, not written, so that no peer can forge or hide a line (H09).

use crate::config::{Format, Level, Log};
use std::{
    fmt::Write as _,
    io::{self, Write},
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt::MakeWriter,
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

/// Starts the log as `[log]` says; once per process.
///
/// # Errors
/// When there is one already.
pub(crate) fn init(log: &Log) -> Result<(), TryInitError> {
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Escaped(io::stderr()));
    let registry = tracing_subscriber::registry().with(filter(log.level));
    match log.format {
        Format::Text => registry.with(lines).try_init(),
        Format::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    }
}

/// Our crates at the level asked for; libraries, which know nothing of hidden identifiers, from warnings up.
fn filter(level: Level) -> Targets {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    // The resolver's errors name domains of peers.
    let silent = ["hickory_net", "hickory_proto", "hickory_resolver"].map(|library| (library, LevelFilter::OFF));
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("bocage", level).with_targets(silent)
}

/// Escapes all but the line break at the end. The formatter hands over one whole event per call.
struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.write_all(escaped(&String::from_utf8_lossy(event)).as_bytes())?;
        Ok(event.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
impl<W: Write + Clone> MakeWriter<'_> for Escaped<W> {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        Self(self.0.clone())
    }
}

fn escaped(event: &str) -> String {
    let (line, end) = event.strip_suffix('\n').map_or((event, ""), |line| (line, "\n"));
    let mut out = String::with_capacity(event.len());
    for c in line.chars() {
        if c.is_control() || reorders(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out + end
}

/// Line and paragraph separators, marks and overrides of direction, and what is invisible.
fn reorders(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);
    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: Level, work: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Escaped(buffer.clone()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(filter(level)).with(lines), work);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn h09_a_peer_cannot_forge_a_line() {
        let evil = "x\r\n2026-01-01T00:00:00Z  INFO bocage: forged\u{1b}[2J\u{9b}31m\u{2028}\u{202e}";
        let log = logged(Level::Info, || tracing::info!(target: "bocage_core", peer = evil, "{evil}"));
        assert_eq!(log.matches('\n').count(), 1, "{log:?}");
        assert!(log.ends_with('\n') && log.contains("forged"));
        assert!(!log.trim_end_matches('\n').chars().any(|c| c.is_control() || reorders(c)), "{log:?}");
    }

    #[test]
    fn libraries_speak_from_warnings_up_whatever_the_level() {
        let log = logged(Level::Trace, || {
            tracing::info!(target: "sqlx::query", "secret");
            tracing::trace!(target: "bocage_module_ping", "ours");
        });
        assert!(log.contains("ours") && !log.contains("secret"), "{log}");
        assert_eq!(logged(Level::Error, || tracing::warn!(target: "rustls", "quiet")), "");
    }
}
