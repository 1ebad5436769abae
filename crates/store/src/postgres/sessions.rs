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

/// While another connection is within a transaction, the same process must serve this one as before.
pub(super) async fn are_kept(connector: &Connector) -> Result<bool, Fault> {
    let (one, other) = try_join!(connector.session(), connector.session())?;
    let asked = async {
        let before = process(&one).await?;
        other.batch_execute("BEGIN").await?;
        let of_other = process(&other).await?;
        let after = process(&one).await?;
        other.batch_execute("ROLLBACK").await?;
        Ok(before == after && before != of_other)
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
