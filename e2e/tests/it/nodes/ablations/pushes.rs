//! What a node tells others directly, when something else lies in between.

use super::super::trial::Awaited;
use super::Trial;
use super::revoker::AT_THE_END;
use anyhow::Context as _;
use rescind_e2e::link::{Hold, Line, Way};
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// For what was said directly.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

/// A revocation is committed, and its node has not heard so: it tells nobody yet. The next one, of
/// another node, is told to all.
pub(super) async fn one_before_was_not_pushed(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, unsaid) = (trial.client()?, trial.known_on(2).await?);
    let said = client.create(0).await?;
    client.all_are_connected().await?;
    // Nor does the third node look by itself.
    let renewals = trial.link(2)?.hold(Hold::line(Line::Own));
    let answers = Hold::line(Line::Writer).only(Way::Answers).from(AT_THE_END);
    let mut committed = trial.link(0)?.hold(answers);
    let revoking_unsaid = client.revoking(0, &unsaid);
    committed.reached(Duration::from_secs(5)).await?;
    let revoking_said = client.revoking(1, &said);
    answered_with(renewals, revoking_said).await?;
    drop(committed);
    revoking_unsaid.await??.context("not revoked")?;
    client.watch(2, &unsaid, Duration::from_millis(300)).await
}

/// The renewals are held until then, but not for long: whoever reads the log for it, with all rules, may
/// have to wait for one.
pub(super) async fn answered_with<T>(
    renewals: T,
    mut revoking: Awaited<Option<Value>>,
) -> anyhow::Result<()> {
    let answered = timeout(HEARD_WITHIN, &mut revoking).await;
    drop(renewals);
    let answered = match answered {
        Ok(answered) => answered,
        Err(_) => revoking.await,
    };
    answered??.context("not revoked").map(drop)
}
