//! `bocage peers`: what the running server remembers of other servers (H43), and what the operator decides about them.

use super::{out, running};
use crate::{admin::PeersRequest, config::Config};
use clap::Subcommand;
use jid::DomainPart;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum Peers {
    /// List the servers that were spoken with, and what the best link with each was like
    List,
    /// Forget how a server was: the next link is the measure. Ends a block, too
    Accept {
        /// Its domain
        domain: DomainPart,
    },
    /// Refuse a server for `s2s.peer_memory`, or until it is accepted; for good: `s2s.deny`
    Block {
        /// Its domain
        domain: DomainPart,
    },
}

pub(super) async fn obey(peers: Peers, config: &Config) -> anyhow::Result<ExitCode> {
    let mut client = running(config).await?;
    let request = match peers {
        Peers::Accept { domain } => PeersRequest::Accept { domain: domain.to_string() },
        Peers::Block { domain } => PeersRequest::Block { domain: domain.to_string() },
        Peers::List => {
            let mut after = None;
            loop {
                let page = client.peers(PeersRequest::List { after }).await?;
                out(&page);
                after = page.lines().last().and_then(|line| line.split(' ').next()).map(str::to_owned);
                if after.is_none() {
                    return Ok(ExitCode::SUCCESS);
                }
            }
        }
    };
    out(&format!("{}\n", client.peers(request).await?));
    Ok(ExitCode::SUCCESS)
}
