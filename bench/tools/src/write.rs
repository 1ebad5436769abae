//! How long writes take, one after the other on each of some connections.
//!
//! A closed loop: whoever revokes or issues waits for the answer before it does the next thing.

use crate::ask::{self, Connection, Template, Token};
use anyhow::{Result, anyhow, ensure};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[arg(long)]
    address: SocketAddr,
    /// A request with {token} or {id} in it
    #[arg(long)]
    request: PathBuf,
    /// A file with a token in each line; there is one request for each
    #[arg(long)]
    tokens: PathBuf,
    #[arg(long, default_value_t = 1)]
    connections: usize,
}

pub fn run(options: &Options) -> Result<Value> {
    ensure!(options.connections > 0, "somebody must write");
    let (tokens, template) = (ask::tokens(&options.tokens)?, Template::read(&options.request)?);
    let shares = tokens.chunks(tokens.len().div_ceil(options.connections));
    let shares = shares
        .map(|tokens| Ok((tokens, Connection::open(options.address)?)))
        .collect::<Result<Vec<_>>>()?;
    let began = ask::now();
    let template = &template;
    let latencies = thread::scope(|threads| {
        let writers: Vec<_> = shares
            .into_iter()
            .map(|(tokens, connection)| threads.spawn(|| write(tokens, connection, template)))
            .collect();
        let mut all = Histogram::<u64>::new(3)?;
        for writer in writers {
            all.add(writer.join().map_err(|_| anyhow!("a writer panicked"))??)?;
        }
        Ok::<_, anyhow::Error>(all)
    })?;
    let micros = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
    Ok(json!({
        "writes": latencies.len(),
        "rate": latencies.len() as f64 / began.elapsed().as_secs_f64(),
        "p50_us": micros(0.5),
        "p99_us": micros(0.99),
    }))
}

/// Nanoseconds.
fn write(
    tokens: &[Token],
    mut connection: Connection,
    template: &Template,
) -> Result<Histogram<u64>> {
    let mut latencies = Histogram::new(3)?;
    for token in tokens {
        let request = template.fill(token);
        let sent = ask::now();
        let right = connection.ask(&request, |answer| token.is_answered_by(answer))?;
        let took = ask::now() - sent;
        ensure!(right, "a write was not answered as it should be");
        latencies.record(took.as_nanos().try_into()?)?;
    }
    Ok(latencies)
}
