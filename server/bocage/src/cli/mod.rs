//! The command line. What people read goes to standard output, what went wrong to standard error; the exit code is 0,
//! 1 for what failed and 2 for a configuration or a command line that cannot be.

mod audit;
mod peers;
mod run;
mod store;
mod user;

pub(crate) use store::Store;

use crate::{
    admin::Client,
    check,
    config::{Config, Source},
    modules::Modules,
};
use clap::{Parser, Subcommand};
use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

/// XMPP for small communities: contacts and chat, hardened by default.
#[derive(Parser)]
#[command(name = "bocage", version)]
struct Arguments {
    /// The configuration [default: BOCAGE_CONFIG; with neither, a server for localhost only]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server (this is what happens without a command, too)
    Run,
    /// Look for what would go wrong: configuration, certificates, ports, permissions, DNS. Prints the lines for the zones.
    /// Exit code 0, 1 (warnings) or 2
    Check,
    /// Print every key of the configuration with its default
    Reference,
    /// Accounts
    #[command(subcommand)]
    User(user::User),
    /// Other servers
    #[command(subcommand)]
    Peers(peers::Peers),
    /// What the running server stores
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Make the running server destroy now what has expired
    Expire {
        /// The machine's clock is right, although it is more than an hour ahead of what was known
        #[arg(long)]
        accept_clock: bool,
    },
    /// Make the running server read configuration and certificates anew
    Reload,
    /// Ask the running server how it is. Exit code 0 or 1
    Healthcheck,
}

/// The whole program.
#[must_use]
pub fn main(modules: Modules) -> ExitCode {
    bocage_tls::install_default();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let file = arguments.config.or_else(|| std::env::var_os("BOCAGE_CONFIG").filter(|f| !f.is_empty()).map(PathBuf::from));
    let command = arguments.command.unwrap_or(Command::Run);
    if matches!(command, Command::Reference) {
        out(&crate::reference::reference(&modules));
        return ExitCode::SUCCESS;
    }
    let source = Source::of_process(file);
    match source.load(&modules) {
        Ok(config) => outcome(obey(command, config, source, modules)),
        Err(mistakes) => {
            complain(&mistakes.to_string());
            ExitCode::from(2)
        }
    }
}

fn obey(command: Command, config: Config, source: Source, modules: Modules) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run => run::run(config, source, modules).map(|()| ExitCode::SUCCESS),
        Command::Check => block_on(check(&config)),
        Command::Reference => Ok(ExitCode::SUCCESS),
        Command::User(user) => block_on(user::obey(user, &config)),
        Command::Peers(peers) => block_on(peers::obey(peers, &config)),
        Command::Audit(audit::Audit::Data) => block_on(audit::data(&config)),
        Command::Expire { accept_clock } => block_on(audit::expire(accept_clock, &config)),
        Command::Reload => block_on(reload(&config)),
        Command::Healthcheck => block_on(healthcheck(&config)),
    }
}

fn outcome(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}

/// Commands wait for one thing at a time.
fn block_on(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

async fn check(config: &Config) -> anyhow::Result<ExitCode> {
    let running = Client::connect(&config.admin.socket).await.is_ok();
    let server = if running { check::Server::Running } else { check::Server::Stopped };
    let now = jiff::Timestamp::now().as_second();
    let mut findings = check::findings(config, server, now);
    let world = check::world(config, now).await;
    findings.extend(world.findings);
    out(&check::report(&findings));
    if !world.zone.is_empty() {
        out(&format!("\n{}", world.zone));
    }
    Ok(ExitCode::from(check::exit_code(&findings)))
}

async fn reload(config: &Config) -> anyhow::Result<ExitCode> {
    let mut client = running(config).await?;
    out(&format!("{}\n", client.reload().await?));
    Ok(ExitCode::SUCCESS)
}

/// A server that does not answer in time is not healthy.
const HEALTH: Duration = Duration::from_secs(5);

async fn healthcheck(config: &Config) -> anyhow::Result<ExitCode> {
    let asked = async { anyhow::Ok(running(config).await?.health().await?) };
    let text = tokio::time::timeout(HEALTH, asked).await.map_err(|_| anyhow::anyhow!("no answer within {HEALTH:?}"))??;
    out(&format!("{text}\n"));
    Ok(ExitCode::SUCCESS)
}

async fn running(config: &Config) -> anyhow::Result<Client> {
    let socket = &config.admin.socket;
    Client::connect(socket).await.map_err(|error| anyhow::anyhow!("no server answers at {}: {error}", socket.display()))
}

/// Writes to standard output; who closed it does not want to know.
pub(crate) fn out(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_fixed_command_lines_are_understood() {
        Arguments::command().debug_assert();
        for line in [
            "bocage",
            "bocage --config f run",
            "bocage run --config f",
            "bocage --config f user add alice@a.example --password-stdin",
            "bocage user add --from-file -",
            "bocage user add alice@a.example",
            "bocage user passwd alice@a.example --password-stdin",
            "bocage user del alice@a.example",
            "bocage user list",
            "bocage check",
            "bocage peers list",
            "bocage peers accept odd.example",
            "bocage peers block odd.example",
            "bocage reference",
            "bocage audit data",
            "bocage expire",
            "bocage expire --accept-clock",
            "bocage reload",
            "bocage healthcheck",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        for line in ["bocage user add", "bocage user add a@b --from-file -", "bocage explode", "bocage user del"] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
