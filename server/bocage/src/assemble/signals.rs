//! Signals: SIGTERM and SIGINT drain, a second one is hard, SIGHUP reloads.

use super::admin::Operator;
use crate::admin::Admin;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves when the server is to stop; reloads meanwhile.
pub(super) async fn until_stopped(operator: &Operator) -> io::Result<()> {
    let (mut term, mut int) = stops()?;
    let mut hup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = term.recv() => return Ok(()),
            _ = int.recv() => return Ok(()),
            _ = hup.recv() => match operator.reload().await {
                Ok(done) => tracing::info!("{done}"),
                Err(why) => tracing::error!("nothing was reloaded: {why}"),
            },
        }
    }
}

/// Resolves at the next SIGTERM or SIGINT.
pub(super) async fn second_stop() {
    match stops() {
        Ok((mut term, mut int)) => tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        },
        Err(_) => std::future::pending().await,
    }
}

fn stops() -> io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}
