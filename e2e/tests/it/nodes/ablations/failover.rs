//! A standby takes over.

use super::{Servers, Trial};
use anyhow::Context as _;
use rescind_e2e::link::{Hold, Line, Way};
use rescind_e2e::nodes::Setup;
use std::time::Duration;
use tokio::time::timeout;

/// What a failover may forget.
const ASYNC: &str = "durability = \"async\"\naccept_lost_revocations_on_failover = true";

/// Whether commits wait for the standby is the operator's to say, and to leave out.
pub(super) async fn servers_and_setup(setup: Setup) -> anyhow::Result<(Servers, Setup)> {
    let left_out = setup.ablated == Some("synchronous-replication");
    let synchronous = setup.postgres != ASYNC && !left_out;
    let postgres = if synchronous { "durability = \"sync\"" } else { ASYNC };
    Ok((Servers::chain(synchronous).await?, Setup { postgres, ..setup }))
}

/// The primary dies, and its standby has not got what was written last.
pub(super) async fn standby_is_behind(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    trial.scene.nodes.node_mut(2)?.stop().await?;
    let replication = trial.servers.replication.clone().context("no standby")?;
    let behind = replication.hold(Hold::way(Way::Answers));
    let mut revoking = client.revoking(0, &token);
    // Nobody is answered, unless nobody waits for the standby.
    let _ = timeout(Duration::from_secs(3), &mut revoking).await;
    trial.servers.server(0)?.kill()?;
    replication.refuse(true);
    drop(behind);
    trial.servers.server(1)?.promote()?;
    trial.scene.nodes.node_mut(2)?.start().await?;
    let client = trial.client()?;
    client.watch(2, &token, Duration::from_millis(500)).await?;
    let last = client.revoking(2, &token);
    let _ = timeout(Duration::from_secs(10), last).await;
    Ok(())
}

/// The old primary goes on, and one node knows no other.
pub(super) async fn old_primary_lives_on(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let nodes = &trial.scene.nodes;
    nodes.node(2)?.link_to(1)?.refuse(true);
    for node in [0, 1] {
        nodes.node(node)?.link_to(0)?.refuse(true);
    }
    trial.servers.server(1)?.promote()?;
    client.revoke_at_last(0, &token).await?;
    client.watch(2, &token, Duration::from_secs(1)).await
}

/// A node joins on the new primary, and whoever revokes still reads on the old one who is there.
pub(super) async fn members_are_read_on_the_old_primary(trial: &mut Trial) -> anyhow::Result<()> {
    let nodes = &mut trial.scene.nodes;
    trial.servers.server(1)?.promote()?;
    nodes.node(0)?.link_to(0)?.refuse_all_but(Line::Members);
    nodes.node(1)?.link_to(0)?.refuse(true);
    nodes.node_mut(1)?.start().await?;
    let (client, token) = (trial.client()?, trial.known_on(1).await?);
    let _cut = trial.scene.nodes.node(1)?.link_to(1)?.hold(Hold::ALL);
    client.revoke(0, &token).await?.context("not revoked")?;
    client.watch(1, &token, Duration::from_millis(800)).await
}
