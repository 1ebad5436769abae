//! What goes wrong, by chance.

use super::Scene;
use super::load::Load;
use anyhow::Context as _;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rescind_e2e::link::{Hold, Line, Way};
use std::time::Duration;
use tokio::time::sleep;

#[derive(Clone, Copy, Debug)]
enum Fault {
    NodeStandsStill,
    NodeIsKilled,
    DatabaseStandsStill,
    DatabaseIsKilled,
    Partition,
    OneWayPartition,
    Refusal,
    LostConnections,
    OneLineIsHeld,
    SlowLink,
    BackendsAreEnded,
    DirectIsHeld,
    AllDirectAreHeld,
    DirectIsLost,
    DirectIsSlow,
    CutOffFromAll,
}

/// Those of nodes more often than those of all at once.
const FAULTS: [Fault; 22] = [
    Fault::NodeStandsStill,
    Fault::NodeStandsStill,
    Fault::NodeStandsStill,
    Fault::NodeIsKilled,
    Fault::NodeIsKilled,
    Fault::DatabaseStandsStill,
    Fault::DatabaseIsKilled,
    Fault::Partition,
    Fault::Partition,
    Fault::OneWayPartition,
    Fault::OneWayPartition,
    Fault::Refusal,
    Fault::LostConnections,
    Fault::OneLineIsHeld,
    Fault::SlowLink,
    Fault::BackendsAreEnded,
    Fault::DirectIsHeld,
    Fault::AllDirectAreHeld,
    Fault::DirectIsLost,
    Fault::DirectIsSlow,
    Fault::CutOffFromAll,
    Fault::CutOffFromAll,
];

const LINES: [Line; 7] =
    [Line::Own, Line::Words, Line::Members, Line::Log, Line::Doorbell, Line::Writer, Line::Fetch];

/// Does one, and undoes it. In words.
pub(super) async fn strike(
    scene: &mut Scene,
    load: &Load,
    rng: &mut StdRng,
    lease: Duration,
) -> anyhow::Result<String> {
    let fault = *FAULTS.choose(rng).context("no faults")?;
    let node = rng.random_range(0..scene.nodes.len());
    let time = Duration::from_millis(rng.random_range(50..2 * u64::try_from(lease.as_millis())?));
    let way = *[Way::Questions, Way::Answers].choose(rng).context("no way")?;
    let ways = *[None, Some(way)].choose(rng).context("no way")?;
    let direct = Hold { way: ways, ..Hold::ALL };
    let line = *LINES.choose(rng).context("no line")?;
    match fault {
        Fault::NodeStandsStill => {
            scene.nodes.node(node)?.pause()?;
            sleep(time).await;
            scene.nodes.node(node)?.unpause()?;
        }
        Fault::NodeIsKilled => {
            scene.nodes.node_mut(node)?.kill().await?;
            sleep(time / 4).await;
            start_at_last(scene, node).await?;
            load.moved(scene)?;
        }
        Fault::DatabaseStandsStill => {
            scene.nodes.postgres.pause()?;
            sleep(time).await;
            scene.nodes.postgres.unpause()?;
        }
        Fault::DatabaseIsKilled => {
            scene.nodes.postgres.kill()?;
            scene.nodes.postgres.resume_service().await?;
        }
        Fault::Partition => hold(scene, node, Hold::ALL, time).await?,
        Fault::OneWayPartition => hold(scene, node, Hold::way(way), time).await?,
        Fault::OneLineIsHeld => hold(scene, node, Hold::line(line).only(way), time).await?,
        Fault::Refusal => {
            scene.nodes.node(node)?.link()?.refuse(true);
            sleep(time).await;
            scene.nodes.node(node)?.link()?.refuse(false);
        }
        Fault::LostConnections => {
            for _ in 0..5 {
                scene.nodes.node(node)?.link()?.reset_some(2);
                sleep(time / 5).await;
            }
        }
        Fault::SlowLink => {
            scene.nodes.node(node)?.link()?.delay(Duration::from_millis(40));
            sleep(time).await;
            scene.nodes.node(node)?.link()?.delay(Duration::ZERO);
        }
        Fault::BackendsAreEnded => {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'rescind' AND random() < 0.5";
            scene.nodes.postgres.psql("postgres", end)?;
        }
        Fault::DirectIsHeld => {
            let _held = scene.nodes.node(node)?.direct()?.hold(direct);
            sleep(time).await;
        }
        Fault::AllDirectAreHeld => {
            let _held = scene.nodes.hold_direct(direct)?;
            sleep(time).await;
        }
        Fault::DirectIsLost => {
            scene.nodes.node(node)?.direct()?.refuse(true);
            sleep(time).await;
            scene.nodes.node(node)?.direct()?.refuse(false);
        }
        Fault::DirectIsSlow => {
            scene.nodes.node(node)?.direct()?.delay(Duration::from_millis(40));
            sleep(time).await;
            scene.nodes.node(node)?.direct()?.delay(Duration::ZERO);
        }
        Fault::CutOffFromAll => {
            let _direct = scene.nodes.node(node)?.direct()?.hold(direct);
            hold(scene, node, Hold { way: ways, ..Hold::ALL }, time).await?;
        }
    }
    Ok(format!("{fault:?} {time:?}, node {node}, {way:?} ({ways:?}), {line:?}"))
}

/// As a supervisor does: somebody else may have the right to write for as long as a start waits.
async fn start_at_last(scene: &mut Scene, node: usize) -> anyhow::Result<()> {
    for _ in 0..4 {
        if scene.nodes.node_mut(node)?.start().await.is_ok() {
            return Ok(());
        }
    }
    scene.nodes.node_mut(node)?.start().await
}

async fn hold(scene: &Scene, node: usize, what: Hold, time: Duration) -> anyhow::Result<()> {
    let held = scene.nodes.node(node)?.link()?.hold(what);
    sleep(time).await;
    drop(held);
    Ok(())
}
