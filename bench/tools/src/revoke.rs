//! How long a revocation takes, and for how long after its answer the token was still accepted.
//!
//! The second is what nobody prints. While a token is revoked on one connection, others verify it as
//! fast as they can, at each node that is named. A verification that was *sent after the revocation
//! was answered* and still got the token accepted is late, by the time between the two.

use crate::ask::{self, Connection, Template, Token};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A token that is accepted for so long after its revocation is not looked at any longer.
const LATE_MAX: Duration = Duration::from_secs(30);
/// So many refusals in a row, each asked for after the answer, are the end of a token.
const REFUSALS: u32 = 5;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Who is told to revoke
    #[arg(long)]
    address: SocketAddr,
    /// A request with {token} or {id} in it, which revokes
    #[arg(long)]
    revocation: PathBuf,
    /// A file with a token, and what is right to say of it while it is valid, in each line
    #[arg(long)]
    tokens: PathBuf,
    /// A request with {token} in it, which verifies
    #[arg(long)]
    verification: Option<PathBuf>,
    /// Who is asked to verify meanwhile; once for each node
    #[arg(long)]
    watch: Vec<SocketAddr>,
}

pub fn run(options: &Options) -> Result<Value> {
    let (tokens, revocation) =
        (ask::tokens(&options.tokens)?, Template::read(&options.revocation)?);
    let verification = options.verification.as_deref().map(Template::read).transpose()?;
    let mut revoking = Connection::open(options.address)?;
    let mut watching =
        options.watch.iter().map(|node| Connection::open(*node)).collect::<Result<Vec<_>>>()?;
    let (mut took, mut late) = (Vec::new(), Vec::new());
    for token in &tokens {
        let asked = verification.as_ref().map(|template| template.fill(token)).unwrap_or_default();
        let request = revocation.fill(token);
        let one = one(token, &mut revoking, &request, &mut watching, &asked)?;
        took.push(one.took);
        late.push(one.late);
    }
    took.sort_unstable();
    late.sort_unstable();
    Ok(json!({
        "revocations": took.len(),
        "p50_us": micros(at(&took, 50)),
        "p99_us": micros(at(&took, 99)),
        "late": late.iter().filter(|late| !late.is_zero()).count(),
        "longest_late_us": micros(at(&late, 100)),
    }))
}

struct Revoked {
    took: Duration,
    /// Zero, if no verification that was sent after the answer accepted it.
    late: Duration,
}

fn one(
    token: &Token,
    revoking: &mut Connection,
    request: &[u8],
    watching: &mut [Connection],
    asked: &[u8],
) -> Result<Revoked> {
    let seen: Vec<_> = watching.iter().map(|_| AtomicBool::new(false)).collect();
    let answered = OnceLock::new();
    thread::scope(|threads| {
        let watchers: Vec<_> = watching
            .iter_mut()
            .zip(&seen)
            .map(|(connection, seen)| {
                let answered = &answered;
                threads.spawn(move || watch(token, connection, asked, seen, answered))
            })
            .collect();
        let gave_up = || watchers.iter().any(thread::ScopedJoinHandle::is_finished);
        while !gave_up() && seen.iter().any(|seen| !seen.load(Ordering::Acquire)) {
            thread::sleep(Duration::from_micros(50));
        }
        let sent = ask::now();
        let status = revoking.ask(request, |answer| answer.status);
        let took = ask::now() - sent;
        // Whoever watches must be told, whatever came of it.
        let _ = answered.set(ask::now());
        let status = status?;
        let mut late = Duration::ZERO;
        for watcher in watchers {
            late = late.max(watcher.join().map_err(|_| anyhow::anyhow!("a watcher panicked"))??);
        }
        ensure!((200..300).contains(&status), "a revocation was answered with {status}");
        Ok(Revoked { took, late })
    })
}

/// The longest time after the answer at which a verification was sent that accepted.
fn watch(
    token: &Token,
    connection: &mut Connection,
    request: &[u8],
    seen: &AtomicBool,
    answered: &OnceLock<Instant>,
) -> Result<Duration> {
    let (mut late, mut refusals) = (Duration::ZERO, 0);
    while refusals < REFUSALS && late < LATE_MAX {
        let known = answered.get().copied();
        let sent = ask::now();
        let accepted = connection.ask(request, |answer| token.is_answered_by(answer))?;
        ensure!(accepted || seen.load(Ordering::Acquire), "a valid token was refused");
        seen.store(true, Ordering::Release);
        let Some(answered) = known else { continue };
        if accepted {
            late = late.max(sent - answered);
            refusals = 0;
        } else {
            refusals += 1;
        }
    }
    Ok(late)
}

fn at(ordered: &[Duration], percent: usize) -> Duration {
    let index = (ordered.len() * percent / 100).min(ordered.len().saturating_sub(1));
    ordered.get(index).copied().unwrap_or_default()
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
