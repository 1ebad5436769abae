//! What a node tells others directly, when something else lies in between.

use super::super::Said;
use super::super::trial::Awaited;
use super::Trial;
use super::revoker::AT_THE_END;
use anyhow::Context as _;
use rescind_e2e::link::{Held, Hold, Line, Way};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, timeout};

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

/// One node is on the new primary already, and another one tells it what it has written on the old one.
/// Then the same number is given to something else.
pub(super) async fn old_primary_is_written_to(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(1).await?);
    let lost = trial.known_on(1).await?;
    client.all_are_connected().await?;
    let copied = format!("SELECT count(*) FROM tokens WHERE id = '{}'", lost.id);
    trial.until_sql(1, &copied, |count| count == "1").await?;
    trial.servers.replication.as_ref().context("no standby")?.refuse(true);
    trial.servers.server(1)?.promote()?;
    let nodes = &trial.scene.nodes;
    nodes.node(0)?.link_to(1)?.refuse(true);
    for node in [1, 2] {
        nodes.node(node)?.link_to(0)?.refuse(true);
    }
    trial.scene.nodes.node_mut(2)?.start().await?;
    trial.renewed_on(1, 1).await?;
    // A renewal would notice that the log ends before what was told.
    let renewals = trial.scene.nodes.node(1)?.link_to(1)?.hold(Hold::line(Line::Own));
    let losing = client.revoking(0, &lost);
    // It is refused as soon as it counts, which it should not.
    let begun = Instant::now();
    while client.look(1, &lost).await? == Said::Valid && begun.elapsed() < HEARD_WITHIN {}
    trial.servers.server(0)?.kill()?;
    answered_with(renewals, trial.client()?.revoking(2, &token)).await?;
    client.watch(1, &token, Duration::from_millis(300)).await?;
    losing.abort();
    Ok(())
}

/// The renewals are held until then, but not for long: whoever reads the log for it, with all rules, may
/// have to wait for one.
async fn answered_with(renewals: Held, mut revoking: Awaited<Option<Value>>) -> anyhow::Result<()> {
    let answered = timeout(HEARD_WITHIN, &mut revoking).await;
    drop(renewals);
    let answered = match answered {
        Ok(answered) => answered,
        Err(_) => revoking.await,
    };
    answered??.context("not revoked").map(drop)
}
