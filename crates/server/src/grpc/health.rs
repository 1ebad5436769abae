//! `grpc.health.v1.Health`: serving while this node can verify.
//!
//! Asked, it looks at the guard at that moment: a status that is pushed into a table stays
//! "serving" for as long as whoever should push does not, and the failures that matter here are
//! those in which nobody does anything any more.

use futures_util::Stream;
use futures_util::stream::unfold;
use rescind_guard::Guard;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tonic::server::NamedService;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// How soon a watcher hears of a change.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);
/// Most watchers at once. Anybody may be one, and each is a timer.
pub const WATCHERS_MAX: usize = 64;
/// A request is the name of a service.
const MESSAGE_BYTES_MAX: usize = 1024;

#[derive(Clone, Debug)]
pub(super) struct Pulse {
    guard: Arc<Guard>,
    /// The service beside the empty name that is known here.
    service: &'static str,
    stop: watch::Receiver<bool>,
    watchers: Arc<Semaphore>,
}

/// `S` is the service whose health is told.
pub(super) fn server<S: NamedService>(
    guard: Arc<Guard>,
    stop: watch::Receiver<bool>,
) -> HealthServer<Pulse> {
    let watchers = Arc::new(Semaphore::new(WATCHERS_MAX));
    HealthServer::new(Pulse { guard, service: S::NAME, stop, watchers })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
}

#[tonic::async_trait]
impl Health for Pulse {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.check_name(&request)?;
        Ok(Response::new(told(self.now())))
    }

    /// Ends with the server.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.check_name(&request)?;
        let place = Arc::clone(&self.watchers).try_acquire_owned();
        let place = place.map_err(|_| Status::resource_exhausted("too many watchers"))?;
        let begin = (self.clone(), place, None);
        let changes = unfold(begin, |(mut pulse, place, last)| async move {
            let next = pulse.changed_from(last).await?;
            Some((Ok(told(next)), (pulse, place, Some(next))))
        });
        Ok(Response::new(Box::pin(changes)))
    }
}

impl Pulse {
    fn check_name(&self, request: &Request<HealthCheckRequest>) -> Result<(), Status> {
        match request.get_ref().service.as_str() {
            "" => Ok(()),
            name if name == self.service => Ok(()),
            _ => Err(Status::not_found("no such service")),
        }
    }

    fn now(&self) -> ServingStatus {
        match self.guard.is_open() && !self.is_stopping() {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        }
    }

    /// Also when nobody is left who could say so.
    fn is_stopping(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// Waits for another status than `last`; `None` once the server stops and that has been told.
    async fn changed_from(&mut self, last: Option<ServingStatus>) -> Option<ServingStatus> {
        loop {
            let now = self.now();
            if last != Some(now) {
                return Some(now);
            }
            if self.is_stopping() {
                return None;
            }
            // Sooner, if the server stops.
            let _ = tokio::time::timeout(WATCH_INTERVAL, self.stop.changed()).await;
        }
    }
}

fn told(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
