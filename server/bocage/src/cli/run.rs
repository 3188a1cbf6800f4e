//! `bocage run`: what is done before there is a server, in the order in which it can fail.

use crate::{
    assemble, check,
    config::{Config, Origin, Source},
    embedded, logging,
    modules::Modules,
    permissions,
};
use anyhow::Context;
use bocage_tls::Fingerprint;
use std::{net::TcpListener, thread};

pub(super) fn run(config: Config, source: Source, modules: Modules) -> anyhow::Result<()> {
    logging::init(&config.log)?;
    for relaxation in config.relaxations() {
        tracing::warn!("relaxed: {relaxation}");
    }
    permissions::make_private_dir(&config.data_dir).with_context(|| format!("cannot make {}", config.data_dir.display()))?;
    let fingerprint = own_certificate(&config)?;
    runtime()?.block_on(async {
        if config.origin == Origin::Embedded {
            refuse_taken_ports(&config)?;
            embedded::welcome(&config, fingerprint.as_ref()).await?;
        }
        assemble::run(config, source, modules).await
    })
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(cores).enable_all().build()?)
}

/// For `localhost` alone, where nobody else can give one.
fn own_certificate(config: &Config) -> anyhow::Result<Option<Fingerprint>> {
    if !config.makes_own_certificate() {
        return Ok(None);
    }
    let fingerprint = bocage_tls::ensure_self_signed(&config.certificates(), config.domain())?;
    tracing::info!("the certificate for {} has the SHA-256 fingerprint {fingerprint}", config.domain());
    Ok(Some(fingerprint))
}

/// Before passwords are shown that would be of no use.
fn refuse_taken_ports(config: &Config) -> anyhow::Result<()> {
    let taken = |(_, address)| TcpListener::bind(address).err().map(|error| check::port_trouble(address, &error));
    let troubles: Vec<String> = config.listen.served().filter_map(taken).collect();
    anyhow::ensure!(troubles.is_empty(), "{}", troubles.join("\n"));
    Ok(())
}
