//! `rescind doctor cluster`: what nodes over one PostgreSQL rest on, asked of the database itself.
//! No server need run, and nothing is changed: the schema is not even made.

mod nodes;
mod paths;

use super::{CLOCK_FAIL_SECONDS, CLOCK_WARN_SECONDS, Findings, State};
use crate::cli::ServeArgs;
use crate::commands::serve;
use crate::engine::{GO_TO_THE_SERVER, declared};
use crate::failure::Failure;
use crate::output::Answer;
use crate::server::chain;
use rescind_core::Timestamp;
use rescind_guard::{Clock as _, clock::SystemClock};
use rescind_server::config::{self, Config};
use rescind_store::postgres::{Caution, DurabilityReport, Examiner, OpenError, ServerReport};

pub(crate) async fn run(args: &ServeArgs) -> Result<Answer, Failure> {
    let config = serve::load(args)?;
    let examiner = examiner(&config)?;
    let mut findings = Findings::default();
    if let Err(failure) = examine(&config, &examiner, &mut findings).await {
        findings.exit = Some(failure.exit);
        findings.next = failure.next;
    }
    Ok(findings.into_answer())
}

fn examiner(config: &Config) -> Result<Examiner, Failure> {
    let Some(file) = &config.postgres.connection_file else {
        let message = "postgres.connection_file is not set: this is one node with a database of \
                       its own, which shares nothing";
        return Err(Failure::usage(message).next("`rescind doctor` asks a running server"));
    };
    let unusable = |error: &dyn std::error::Error| Failure::usage(chain(error));
    let text = file.read(serve::credentials().as_deref()).map_err(|error| unusable(&error))?;
    let examiner = Examiner::new(text.as_str(), config.postgres.ca_file.as_deref());
    examiner.map_err(|error| unusable(&error))
}

/// In the order in which one thing rests on another.
async fn examine(
    config: &Config,
    examiner: &Examiner,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let advice = "see whether it is there, and what postgres.connection_file says";
    let kept = findings.step("database", asked(examiner.keeps_sessions().await, advice))?;
    if !findings.sessions(kept) {
        return Ok(());
    }
    let server = findings.step("database", asked(examiner.server().await, advice))?;
    let version = server.durability.server_version;
    let (major, minor) = (version / 10_000, version % 10_000);
    let found = format!("{}, PostgreSQL {major}.{minor}", examiner.place());
    findings.add("database", State::Good, found);
    findings.durability(&server.durability, &config.postgres);
    let ours = findings.schema(&server);
    let word = format!("{:032x}", rand::random::<u128>());
    let advice = "see whether this role may LISTEN, and what stands between";
    let notified = findings.step("notify", asked(examiner.notified(&word).await, advice))?;
    findings.notified(notified.map(|took| took.as_millis()));
    let advice = "see why the database does not answer";
    let before = SystemClock.now();
    let theirs = findings.step("clock", asked(examiner.clock_millis().await, advice))?;
    findings.databases_clock(before, Timestamp::from_millis(theirs), SystemClock.now());
    if ours {
        let watched = nodes::watch(examiner).await;
        let watched = findings.step("nodes", asked(watched, advice))?;
        nodes::judge(&watched, config.cluster.lease, findings);
        let members = &watched.last.members;
        paths::judge(members, &paths::walk(members).await, findings);
    }
    Ok(())
}

fn asked<T>(answer: Result<T, OpenError>, advice: &str) -> Result<T, Failure> {
    answer.map_err(|error| Failure::unreachable(chain(&error)).next(advice))
}

impl Findings {
    /// Whether anything else can be asked.
    fn sessions(&mut self, kept: bool) -> bool {
        if !kept {
            self.fail("database", &OpenError::SharedSessions.to_string());
            self.advise(GO_TO_THE_SERVER);
        }
        kept
    }

    fn durability(&mut self, report: &DurabilityReport, said: &config::Postgres) {
        let is = format!(
            "declared {}; synchronous_commit {}, synchronous_standby_names '{}', {} standbys now",
            match said.durability {
                config::Durability::Single => "single",
                config::Durability::Sync => "sync",
                config::Durability::Async => "async",
            },
            report.synchronous_commit,
            report.synchronous_standby_names,
            report.standbys
        );
        match report.check(declared(said)) {
            Err(unkept) => {
                self.fail("durability", &format!("{unkept} ({is})"));
                self.advise("set the server up as postgres.durability says, or declare what it is");
            }
            Ok(cautions) if cautions.is_empty() => self.add("durability", State::Good, is),
            Ok(cautions) => {
                for caution in cautions {
                    self.add("durability", State::Warning, format!("{} ({is})", in_words(caution)));
                }
            }
        }
    }

    /// Whether its tables can be read.
    fn schema(&mut self, server: &ServerReport) -> bool {
        let ServerReport { encoding, schema, schema_known, .. } = server;
        if encoding != "UTF8" {
            self.fail("schema", &format!("the database is encoded in {encoding}, not in UTF8"));
            self.advise("make another: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0");
            return false;
        }
        match schema {
            None => {
                self.add("schema", State::Good, "none yet: the first node that starts makes it");
                false
            }
            Some(found) if found > schema_known => {
                let message =
                    format!("version {found}, and this program knows {schema_known}: it is older");
                self.fail("schema", &message);
                self.advise("use the newer program");
                false
            }
            Some(found) if found < schema_known => {
                let message =
                    format!("version {found}: the next node that starts makes it {schema_known}");
                self.add("schema", State::Good, message);
                true
            }
            Some(found) => {
                self.add("schema", State::Good, format!("version {found}"));
                true
            }
        }
    }

    fn notified(&mut self, millis: Option<u128>) {
        match millis {
            Some(millis) => {
                let message = format!("a notification came back after {millis} ms");
                self.add("notify", State::Good, message);
            }
            None => {
                let message = "no notification comes back: something in between swallows them. \
                               Revocations then wait for the next renewal of each node";
                self.add("notify", State::Warning, message);
                self.advise(GO_TO_THE_SERVER);
            }
        }
    }

    /// The two readings of ours are around theirs.
    fn databases_clock(&mut self, before: Timestamp, theirs: Timestamp, after: Timestamp) {
        let nearest = theirs.as_millis().clamp(before.as_millis(), after.as_millis());
        let seconds = theirs.distance_millis(Timestamp::from_millis(nearest)) / 1_000;
        let message = format!("{seconds} s from the database's");
        if seconds >= CLOCK_FAIL_SECONDS {
            let refused = "what one host signs, another refuses";
            self.fail("clock", &format!("{message}: {refused}"));
            self.advise("set the clocks of all hosts (NTP)");
        } else if seconds >= CLOCK_WARN_SECONDS {
            self.add("clock", State::Warning, message);
            self.advise("set the clocks of all hosts (NTP)");
        } else {
            self.add("clock", State::Good, message);
        }
    }

    /// The first thing to do is the one that is said.
    fn advise(&mut self, next: &str) {
        self.next.get_or_insert_with(|| next.to_owned());
    }
}

fn in_words(caution: Caution) -> &'static str {
    match caution {
        Caution::StandbyOfASingle => {
            "others stream from a server that is declared single: a failover to one of them may \
             bring back what was revoked"
        }
        Caution::NoStandbyNow => "commits wait for a standby, and none is there",
        Caution::MayLoseRevocations => "a failover may bring back what was revoked",
    }
}

#[cfg(test)]
mod tests;
