//! Signals: SIGTERM and Ctrl-C stop, SIGHUP reads the configuration again.

use crate::failure::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What ends the wait.
#[derive(Debug)]
pub(crate) enum Event {
    Stop,
    Reload,
    Failed(String),
}

/// Listening from the moment it is made, so that no signal during the start is lost.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let on = |kind| {
            signal(kind)
                .map_err(|error| Failure::unreachable(format!("cannot listen to signals: {error}")))
        };
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next_or(&mut self, failed: impl Future<Output = String>) -> Event {
        tokio::select! {
            _ = self.terminate.recv() => Event::Stop,
            _ = self.interrupt.recv() => Event::Stop,
            _ = self.hang_up.recv() => Event::Reload,
            why = failed => Event::Failed(why),
        }
    }

    /// Until it is time to stop. There is nothing to reload where nothing is configured.
    pub(crate) async fn stopped_or(
        &mut self,
        failed: impl Future<Output = String>,
    ) -> Result<(), Failure> {
        let mut failed = std::pin::pin!(failed);
        loop {
            match self.next_or(&mut failed).await {
                Event::Stop => return Ok(()),
                Event::Reload => {}
                Event::Failed(why) => {
                    return Err(Failure::unreachable(format!("the store has failed: {why}")));
                }
            }
        }
    }
}
