//! `rescind serve`: the configuration is the whole of it. SIGTERM drains, SIGHUP reads routes and
//! keys again.

use crate::cli::ServeArgs;
use crate::failure::Failure;
use crate::logging;
use crate::output::Output;
use crate::server::{self, Listeners, Running, chain};
use crate::shutdown::{Event, Signals};
use rescind_server::config::{self, Config, Sources};
use sd_notify::NotifyState;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) async fn run(args: ServeArgs, _: Output) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let config = load(&args)?;
    logging::start(&config.log);
    let listeners = Listeners::bind(&config).await?;
    let running = server::start(listeners, &config, credentials().as_deref()).await?;
    let Running { public, verify, admin, grpc, .. } = &running;
    let grpc = grpc.map(tracing::field::display);
    tracing::info!(%public, %verify, %admin, grpc, version = env!("CARGO_PKG_VERSION"), "ready");
    notify(NotifyState::Ready);
    let ended = loop {
        match signals.next_or(running.failed()).await {
            Event::Stop => break Ok(()),
            Event::Reload => reload(&running, &config, &args).await,
            Event::Failed(why) => {
                break Err(Failure::unreachable(format!("the store has failed: {why}")));
            }
        }
    };
    notify(NotifyState::Stopping);
    if ended.is_ok() {
        give_notice(&running, &mut signals, config.shutdown.notice).await;
    }
    tracing::info!("stopping: requests in flight are finished, no new ones are taken");
    running.stop().await;
    ended
}

/// Load balancers find out, and send nobody here any more. A second signal cuts it short.
async fn give_notice(running: &Running, signals: &mut Signals, notice: Duration) {
    if notice.is_zero() {
        return;
    }
    running.announce_stop();
    tracing::info!(seconds = notice.as_secs_f64(), "stopping soon: not ready any more");
    let _ = tokio::time::timeout(notice, signals.stopped_or(running.failed())).await;
}

/// What is wrong is said, and everything stays as it was.
async fn reload(running: &Running, started_with: &Config, args: &ServeArgs) {
    let done = match load(args) {
        Ok(config) => {
            say_what_needs_a_restart(started_with, &config);
            running.reload(&config).await
        }
        Err(failure) => Err(failure),
    };
    match done {
        Ok(true) => tracing::info!("routes and keys were read again"),
        Ok(false) => tracing::warn!(
            "routes were read again; not every issuer's keys could be read, those stay as they were"
        ),
        Err(Failure { message, .. }) => {
            tracing::error!(error = message, "not reloaded: everything stays as it was");
        }
    }
}

/// Otherwise an operator would believe in a setting that nobody follows.
fn say_what_needs_a_restart(started_with: &Config, now: &Config) {
    let without_routes = Config { gateway: started_with.gateway.clone(), ..now.clone() };
    if without_routes != *started_with {
        tracing::warn!("the configuration has other changes, which wait for the next start");
    }
}

pub(super) fn load(args: &ServeArgs) -> Result<Config, Failure> {
    let sources = Sources {
        file: args.config.as_deref(),
        environment: std::env::vars_os().collect(),
        overrides: args.set.clone(),
    };
    config::load(&sources).map_err(|error| Failure::usage(chain(&error)))
}

/// Where systemd puts what `LoadCredential=` names.
pub(super) fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// Without systemd there is nobody to tell.
fn notify(state: NotifyState<'_>) {
    let _ = sd_notify::notify(&[state]);
}
