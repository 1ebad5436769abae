//! Whether a connection has a session of its own at the server.
//!
//! A pooler in transaction mode gives each transaction whichever of its sessions is free. What is set
//! on one is then lost, or is another's: time-outs, prepared statements, who listens, and that
//! warnings are told, one of which says that a commit is not what it seems. Such a pooler is no way to
//! the database; one that keeps a session for each connection is as good as none.

use super::{
    connection::{Connector, Session},
    fault::Fault,
};
use futures_util::try_join;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::SimpleQueryMessage;

/// A pooler whose sessions are all taken lets everybody wait.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How often it is asked. Whoever shares sessions mostly gives the one that was used last, so that the
/// first time shows it; but nodes that come and go at the same moment may be in between.
const ROUNDS: usize = 16;

/// While another connection is within a transaction, the same process must serve this one as before.
pub(super) async fn are_kept(connector: &Connector) -> Result<bool, Fault> {
    let (one, other) = try_join!(connector.session(), connector.session())?;
    let asked = async {
        let own = [process(&one).await?, process(&other).await?];
        for _ in 0..ROUNDS {
            other.batch_execute("BEGIN").await?;
            let (of_one, of_other) = try_join!(process(&one), process(&other))?;
            other.batch_execute("ROLLBACK").await?;
            let now = [of_one, of_other];
            if now != own || now[0] == now[1] || process(&one).await? != own[0] {
                return Ok(false);
            }
        }
        Ok(true)
    };
    timeout(ANSWER_WITHIN, asked).await.unwrap_or(Err(Fault::TimedOut("a session")))
}

/// Without a prepared statement, which is one of the things that may be lost.
async fn process(session: &Session) -> Result<String, Fault> {
    let answer = session.simple_query("SELECT pg_backend_pid()").await?;
    let process = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    process.map(str::to_owned).ok_or_else(|| Fault::Value("a process".into()))
}
