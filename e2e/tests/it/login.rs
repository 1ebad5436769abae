//! The one endpoint that takes a password: what it gives away, and what it does under a flood.

use anyhow::{Context as _, ensure};
use rescind_e2e::admin::Admin;
use rescind_e2e::clock::monotonic_ns;
use rescind_e2e::server::{Home, Server};
use rescind_e2e::wire::{Answer, Connection, Request};
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinSet;

/// Logins of each kind whose times are compared.
const TRIES: usize = 15;

/// One hash more or less would show as a factor of dozens; a busy machine must not show at all.
const TIME_RATIO_MAX: f64 = 1.6;

const FLOOD: usize = 64;

/// Verification must not wait for hashes. Generous: both cores are hashing, and the build is a
/// debug one.
const VERIFY_MEDIAN_MAX: Duration = Duration::from_millis(100);

#[tokio::test]
async fn unknown_user_and_wrong_password_are_answered_alike_and_as_late() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start().await?;
    let email = server.facts().email.clone();
    let mut connection = server.connect().await?;
    let mut times = [Vec::new(), Vec::new()];
    let mut bodies = Vec::new();
    for _ in 0..TRIES {
        for (user, times) in ["nobody@example.com", &email].into_iter().zip(&mut times) {
            let begun = monotonic_ns();
            let answer = connection.ask(&login(user, "not the password")).await?;
            times.push(monotonic_ns() - begun);
            bodies.push((answer.status, answer.body.clone(), content_type(&answer)));
        }
    }
    let first = bodies.first().context("no answers")?;
    assert_eq!(first.0, 401);
    assert!(bodies.iter().all(|body| body == first), "{bodies:?}");
    let [unknown, wrong] = times.map(median);
    let ratio = unknown.max(wrong) as f64 / unknown.min(wrong) as f64;
    assert!(ratio < TIME_RATIO_MAX, "medians {unknown} ns and {wrong} ns");
    // A refusal that takes no time did not hash at all, for anybody.
    assert!(unknown > 2_000_000, "{unknown} ns is too quick for Argon2id");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_flood_is_turned_away_and_verification_stays_fast() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start().await?;
    let mut admin = Admin::connect(&server).await?;
    let owner = admin.user_id(&server.facts().email).await?;
    let bearer = admin.create_bearer(&owner).await?;
    let mut public = server.connect().await?;

    let mut flood = start_flood(&server).await?;
    let mut verify_times = Vec::new();
    let mut statuses = Vec::new();
    while !flood.is_empty() {
        while let Some(answer) = flood.try_join_next() {
            statuses.push(checked(&answer??)?);
        }
        let begun = monotonic_ns();
        public.ask(&bearer.show(Request::get("/v1/products"))).await?.expect_status(200)?;
        verify_times.push(monotonic_ns() - begun);
    }
    let turned_away = statuses.iter().filter(|&&status| status == 429).count();
    assert!(turned_away > 0 && turned_away < FLOOD, "{statuses:?}");
    let median = Duration::from_nanos(median(verify_times));
    assert!(median < VERIFY_MEDIAN_MAX, "verification took {median:?}");

    let (email, password) = (server.facts().email.clone(), server.facts().password.clone());
    let answer = until_accepted(&mut public, &login(&email, &password)).await?;
    assert_eq!(answer.json()?["token_type"], "Bearer");
    Ok(())
}

async fn start_flood(server: &Server) -> anyhow::Result<JoinSet<anyhow::Result<Answer>>> {
    let mut connections = Vec::new();
    for _ in 0..FLOOD {
        connections.push(server.connect().await?);
    }
    let mut flood = JoinSet::new();
    for (n, mut connection) in connections.into_iter().enumerate() {
        // As many addresses, so that it is not a limit per account that turns them away.
        let request = login(&format!("user{n}@example.com"), "not the password");
        flood.spawn(async move { connection.ask(&request).await });
    }
    Ok(flood)
}

/// Turned away is told when to come back; everybody else gets the usual refusal.
fn checked(answer: &Answer) -> anyhow::Result<u16> {
    ensure!(matches!(answer.status, 401 | 429), "{}", answer.text());
    if answer.status == 429 {
        let seconds: u64 = answer.header("retry-after").context("no Retry-After")?.parse()?;
        ensure!(seconds > 0, "Retry-After: 0");
        let body = answer.json()?;
        ensure!(body["code"].is_string() && body["message"].is_string(), "{body}");
    }
    Ok(answer.status)
}

/// Does what it is told: comes back after the seconds of Retry-After.
async fn until_accepted(connection: &mut Connection, request: &Request) -> anyhow::Result<Answer> {
    for _ in 0..5 {
        let answer = connection.ask(request).await?;
        if answer.status != 429 {
            return answer.expect_status(200);
        }
        let seconds = answer.header("retry-after").context("no Retry-After")?.parse()?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
    anyhow::bail!("turned away again and again")
}

fn login(email: &str, password: &str) -> Request {
    Request::post("/auth/token").json(&json!({"email": email, "password": password}))
}

fn content_type(answer: &Answer) -> Option<String> {
    answer.header("content-type").map(str::to_owned)
}

fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(u64::MAX)
}
