//! `bocage audit data` and `bocage expire`: what is stored and for how long (H10), and the end of what has expired (H01).

use super::{out, running};
use crate::{admin::ClockIs, config::Config};
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum Audit {
    /// Every table that holds something of people: how long it is kept, how many rows it has, how old the oldest is
    Data,
}

pub(super) async fn data(config: &Config) -> anyhow::Result<ExitCode> {
    let mut client = running(config).await?;
    out(&client.audit_data().await?);
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn expire(accept_clock: bool, config: &Config) -> anyhow::Result<ExitCode> {
    let clock = if accept_clock { ClockIs::Right } else { ClockIs::Unconfirmed };
    let mut client = running(config).await?;
    out(&format!("{}\n", client.expire(clock).await?));
    Ok(ExitCode::SUCCESS)
}
