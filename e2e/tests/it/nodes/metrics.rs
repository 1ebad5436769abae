//! What several nodes say of themselves in numbers, and what each tries by itself.

use super::{Said, Scene};
use anyhow::{Context as _, ensure};
use rescind_e2e::admin::Admin;
use rescind_e2e::postgres::Postgres;
use rescind_e2e::server::{Home, Server};
use rescind_e2e::wire::Request;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;
use tokio::time::Instant;

pub(super) type Samples = BTreeMap<String, f64>;

pub(super) async fn scrape(mut admin: Admin) -> anyhow::Result<Samples> {
    let answer = admin.ask(Request::get("/metrics")).await?.expect_status(200)?;
    let text = String::from_utf8(answer.body)?;
    let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (name, value) = line.rsplit_once(' ').context("no value")?;
        Ok((name.to_owned(), value.parse()?))
    });
    samples.collect()
}

pub(super) fn of(samples: &Samples, name: &str) -> anyhow::Result<f64> {
    samples.get(name).copied().with_context(|| format!("no {name} in {samples:?}"))
}

fn revocations(samples: &Samples, outcome: &str) -> anyhow::Result<f64> {
    of(samples, &format!("rescind_revocation_seconds_count{{outcome=\"{outcome}\"}}"))
}

#[tokio::test]
async fn node_shows_its_lease_its_neighbours_and_which_revocations_had_to_wait()
-> anyhow::Result<()> {
    let scene = Scene::start().await?;
    let (first, second) = (scene.create(0).await?, scene.create(0).await?);
    scene.all_say(&first, Said::Valid).await?;
    scene.revoke(0, &first).await?;
    let samples = scrape(scene.nodes.admin(0).await?).await?;
    let lease = of(&samples, "rescind_lease_remaining_seconds")?;
    ensure!(lease > 0.0 && lease <= 3.0, "{lease}");
    ensure!(of(&samples, "rescind_sealed")? == 0.0);
    ensure!(of(&samples, "rescind_epoch_applied")? >= 1.0);
    ensure!(revocations(&samples, "acknowledged")? == 1.0);
    ensure!(revocations(&samples, "waited_out")? == 0.0);
    // Made on the first node, so that the second one had to look for it.
    let samples = scrape(scene.nodes.admin(1).await?).await?;
    ensure!(of(&samples, "rescind_fetches_total{result=\"known\"}")? >= 1.0, "{samples:?}");
    let id = i32::try_from(scene.nodes.node(2)?.server()?.id()?)?;
    let process = Pid::from_raw(id).context("no id")?;
    kill_process(process, Signal::STOP)?;
    let revoked = scene.revoke(0, &second).await;
    kill_process(process, Signal::CONT)?;
    revoked?;
    let samples = scrape(scene.nodes.admin(0).await?).await?;
    ensure!(revocations(&samples, "waited_out")? == 1.0, "{samples:?}");
    let took = of(&samples, "rescind_revocation_seconds_sum{outcome=\"waited_out\"}")?;
    ensure!((1.0..10.0).contains(&took), "{took}");
    let begun = Instant::now();
    loop {
        let samples = scrape(scene.nodes.admin(0).await?).await?;
        let [rung, hearing] = ["rescind_nodes_rung", "rescind_nodes_hearing"];
        let connected = of(&samples, rung)? == 2.0 && of(&samples, hearing)? == 2.0;
        ensure!(of(&samples, "rescind_other_nodes")? <= 3.0, "{samples:?}");
        let at_rest = of(&samples, "rescind_epoch_lag")? == 0.0;
        if of(&samples, "rescind_nodes")? == 3.0 && connected && at_rest {
            return Ok(());
        }
        ensure!(begun.elapsed() < Duration::from_secs(20), "{samples:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A node with a probe of its own.
async fn probing(home: &Home, postgres: &Postgres, name: &str) -> anyhow::Result<Server> {
    let file = home.path().join("postgres");
    let mut open = std::fs::OpenOptions::new();
    let mut private = open.write(true).create_new(true).mode(0o600).open(&file)?;
    std::io::Write::write_all(&mut private, postgres.connection_text().as_bytes())?;
    let more = format!(
        "[postgres]\nconnection_file = \"{}\"\n\
         [cluster]\nnode = \"{name}\"\nlease = \"3s\"\nprobe = \"1s\"\n",
        file.display()
    );
    home.serve_with_keys(&more, &[]).await
}

#[tokio::test]
async fn nodes_that_probe_find_that_revocations_hold_on_both() -> anyhow::Result<()> {
    let postgres = Postgres::start().await?;
    let (one, other) = (Home::new()?, Home::new()?);
    one.make_keys().await?;
    one.copy_keys_to(&other)?;
    let servers =
        [probing(&one, &postgres, "one").await?, probing(&other, &postgres, "other").await?];
    let begun = Instant::now();
    for server in &servers {
        loop {
            let samples = scrape(Admin::connect(server).await?).await?;
            let runs = |result: &str| {
                of(&samples, &format!("rescind_probe_runs_total{{result=\"{result}\"}}"))
            };
            ensure!(runs("accepted_late")? + runs("refused_early")? == 0.0, "{samples:?}");
            let acknowledged = of(&samples, "rescind_probe_nodes_acknowledged")?;
            if runs("passed")? >= 2.0 && acknowledged == 2.0 {
                let worst = of(&samples, "rescind_probe_worst_revocation_seconds")?;
                ensure!(worst >= of(&samples, "rescind_probe_last_revocation_seconds")?);
                break;
            }
            ensure!(begun.elapsed() < Duration::from_secs(30), "{samples:?}\n{}", one.log_tail());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    Ok(())
}
