//! An open-loop generator: requests are due at a constant rate, whether or not the server keeps up,
//! and the latency of each counts from when it was *due*.
//!
//! A client that sends its next request when the last one is answered asks less of a server that
//! stalls, and so leaves out of its percentiles just those requests that would have waited
//! (coordinated omission). Here they wait for a free connection, and that wait is counted.
//!
//! One thread, which does not sleep while something is due within a millisecond: it has a core to
//! itself, and a timer would wake it late.

use crate::ask::{self, Answer, Template, Token};
use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What is left over when all is due may still be answered for so long.
const PATIENCE: Duration = Duration::from_secs(20);
/// A timer of the kernel's `epoll` is no finer than this.
const TIMER: Duration = Duration::from_millis(1);

#[derive(Debug, clap::Args)]
pub struct Options {
    #[arg(long)]
    address: SocketAddr,
    /// A request with {token} in it
    #[arg(long)]
    request: PathBuf,
    /// A file with a token, and what is right to say of it, in each line
    #[arg(long)]
    tokens: PathBuf,
    /// Requests that are due in a second
    #[arg(long)]
    rate: f64,
    #[arg(long)]
    seconds: f64,
    #[arg(long, default_value_t = 64)]
    connections: usize,
}

pub fn run(options: &Options) -> Result<Value> {
    ensure!(options.rate > 0.0, "the rate must be above 0");
    let (tokens, template) = (ask::tokens(&options.tokens)?, Template::read(&options.request)?);
    let requests: Vec<_> = tokens.iter().map(|token| template.fill(token)).collect();
    let mut run = Run {
        schedule: Schedule::begin(options.rate, options.seconds),
        tokens: &tokens,
        requests: &requests,
        latencies: Histogram::new(3)?,
        wrong: 0,
        last_answer: ask::now(),
    };
    run.all(options)?;
    run.report()
}

/// When each request is due.
struct Schedule {
    start: Instant,
    rate: f64,
    count: u64,
    next: u64,
}

impl Schedule {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of requests that are sent, one after the other"
    )]
    fn begin(rate: f64, seconds: f64) -> Self {
        let count = (rate * seconds).ceil().max(1.0) as u64;
        Self { start: ask::now(), rate, count, next: 0 }
    }

    #[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
    fn due(&self) -> Option<Instant> {
        (self.next < self.count)
            .then(|| self.start + Duration::from_secs_f64(self.next as f64 / self.rate))
    }
}

struct Run<'a> {
    schedule: Schedule,
    tokens: &'a [Token],
    requests: &'a [Vec<u8>],
    /// In nanoseconds.
    latencies: Histogram<u64>,
    wrong: u64,
    last_answer: Instant,
}

struct Connection<'a> {
    stream: TcpStream,
    read: Vec<u8>,
    /// Whose answer is awaited, and since when.
    asked: Option<(&'a Token, Instant)>,
}

impl<'a> Run<'a> {
    fn all(&mut self, options: &Options) -> Result<()> {
        let mut poll = Poll::new()?;
        let mut connections = (0..options.connections)
            .map(|number| connect(options.address, number, &poll))
            .collect::<Result<Vec<_>>>()?;
        let mut idle: Vec<usize> = (0..connections.len()).collect();
        let mut events = Events::with_capacity(1024);
        self.schedule.start = ask::now();
        let end = self.schedule.start + Duration::from_secs_f64(options.seconds) + PATIENCE;
        while self.schedule.due().is_some() || idle.len() < connections.len() {
            ensure!(ask::now() < end, "{} requests were not answered in time", self.unanswered());
            self.send_what_is_due(&mut connections, &mut idle)?;
            poll.poll(&mut events, Some(self.until_due(idle.is_empty()))).or_else(|error| {
                if error.kind() == ErrorKind::Interrupted { Ok(()) } else { Err(error) }
            })?;
            for event in &events {
                let number = event.token().0;
                let connection = connections.get_mut(number).context("an unknown connection")?;
                if self.receive(connection)? {
                    idle.push(number);
                }
            }
        }
        Ok(())
    }

    fn unanswered(&self) -> u64 {
        self.schedule.count - self.latencies.len()
    }

    fn send_what_is_due(
        &mut self,
        connections: &mut [Connection<'a>],
        idle: &mut Vec<usize>,
    ) -> Result<()> {
        while let Some(due) = self.schedule.due().filter(|due| *due <= ask::now()) {
            let Some(number) = idle.pop() else { break };
            let at = usize::try_from(self.schedule.next)? % self.tokens.len();
            let (token, request) =
                self.tokens.get(at).zip(self.requests.get(at)).context("no token")?;
            let connection = connections.get_mut(number).context("an unknown connection")?;
            connection.asked = Some((token, due));
            // It is small, and the last one was answered: the kernel has room for it.
            connection.stream.write_all(request).context("a request cannot be sent")?;
            self.schedule.next += 1;
        }
        Ok(())
    }

    fn until_due(&self, all_busy: bool) -> Duration {
        let due = self.schedule.due().filter(|_| !all_busy);
        let wait = due.map_or(PATIENCE, |due| due.saturating_duration_since(ask::now()));
        if wait <= TIMER { Duration::ZERO } else { (wait - TIMER).min(Duration::from_millis(100)) }
    }

    /// Whether the answer is complete, and the connection idle again.
    fn receive(&mut self, connection: &mut Connection<'a>) -> Result<bool> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match connection.stream.read(&mut buffer) {
                Ok(0) => bail!("the server ended a connection"),
                Ok(count) => connection.read.extend(buffer.iter().take(count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let Some((token, due)) = connection.asked else {
            return Ok(false);
        };
        let Some(answer) = Answer::parse(&connection.read)? else {
            return Ok(false);
        };
        self.last_answer = ask::now();
        self.latencies += u64::try_from((self.last_answer - due).as_nanos())?;
        if !token.is_answered_by(&answer) {
            self.wrong += 1;
        }
        connection.read.clear();
        connection.asked = None;
        Ok(true)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds of one run")]
    fn report(&self) -> Result<Value> {
        let micros = |nanos: u64| nanos as f64 / 1e3;
        let took = (self.last_answer - self.schedule.start).as_secs_f64();
        Ok(json!({
            "asked": self.schedule.rate,
            "achieved": self.latencies.len() as f64 / took,
            "answers": self.latencies.len(),
            "wrong": self.wrong,
            "p50_us": micros(self.latencies.value_at_quantile(0.5)),
            "p99_us": micros(self.latencies.value_at_quantile(0.99)),
            "p999_us": micros(self.latencies.value_at_quantile(0.999)),
            "max_us": micros(self.latencies.max()),
        }))
    }
}

fn connect<'a>(address: SocketAddr, number: usize, poll: &Poll) -> Result<Connection<'a>> {
    let stream = std::net::TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut stream = TcpStream::from_std(stream);
    poll.registry().register(&mut stream, mio::Token(number), Interest::READABLE)?;
    Ok(Connection { stream, read: Vec::new(), asked: None })
}
