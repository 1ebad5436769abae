//! After the 200 of a revocation, nothing accepts the token: not the connection that sent it, not
//! one that has long been open, not a request whose head was half sent when the answer came.

use anyhow::{Context as _, ensure};
use rescind_e2e::admin::Admin;
use rescind_e2e::credential::{Credential, Signer};
use rescind_e2e::judge::{Outcome, judge};
use rescind_e2e::recorder::Recorder;
use rescind_e2e::server::{Home, Server};
use rescind_e2e::wire::{Connection, PATIENCE, Request};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

const OPEN_CONNECTIONS: usize = 50;

#[tokio::test]
async fn revoked_token_is_refused_on_its_own_and_on_fifty_other_open_connections()
-> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start().await?;
    for credential in credentials(&server).await? {
        let mut open = Vec::new();
        for _ in 0..OPEN_CONNECTIONS {
            let mut connection = server.connect().await?;
            connection.ask(&credential.call()?).await?.expect_status(200)?;
            open.push(connection);
        }
        let mut own = server.connect().await?;
        own.ask(&credential.call()?).await?.expect_status(200)?;
        own.ask(&credential.revocation()?).await?.expect_status(200)?;
        for connection in std::iter::once(&mut own).chain(&mut open) {
            connection.ask(&credential.call()?).await?.expect_status(401)?;
        }
    }
    Ok(())
}

/// An operator's revocation is as immediate as the holder's own.
#[tokio::test]
async fn token_revoked_by_an_operator_is_refused_everywhere_at_once() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start().await?;
    let mut admin = Admin::connect(&server).await?;
    for credential in credentials(&server).await? {
        let mut public = server.connect().await?;
        public.ask(&credential.call()?).await?.expect_status(200)?;
        let answer = admin.revoke(credential.id()).await?.expect_status(200)?.json()?;
        assert_eq!(answer["already_revoked"], false);
        public.ask(&credential.call()?).await?.expect_status(401)?;
        if let Credential::Bearer(bearer) = &credential {
            let question = serde_json::json!({"token": bearer.text});
            let mut verify = Connection::open(server.verify()?).await?;
            let answer = verify.ask(&Request::post("/v1/verify").json(&question)).await?;
            assert_eq!(answer.expect_status(200)?.json()?["valid"], false);
        }
    }
    Ok(())
}

/// Callers never pause; the judge reads all they saw.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_token_is_refused_with_requests_in_flight() -> anyhow::Result<()> {
    const CALLERS: u32 = 8;
    /// Before the revocation, and after it.
    const CALLS: usize = 100;
    let home = Home::new()?;
    let server = home.start().await?;
    for credential in credentials(&server).await? {
        let recorder = Arc::new(Recorder::default());
        recorder.given(credential.id());
        let stop = Arc::new(AtomicBool::new(false));
        let calls = Arc::new(AtomicUsize::new(0));
        let mut callers = JoinSet::new();
        for client in 1..=CALLERS {
            let (recorder, stop) = (Arc::clone(&recorder), Arc::clone(&stop));
            let (calls, credential) = (Arc::clone(&calls), credential.clone());
            let mut connection = server.connect().await?;
            callers.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    recorder.verify(client, &mut connection, &credential).await?;
                    calls.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            });
        }
        until_more(&calls, CALLS).await?;
        let mut own = server.connect().await?;
        let outcome = recorder.revoke(0, &mut own, &credential).await?;
        assert_eq!(outcome, Outcome::Accepted);
        until_more(&calls, CALLS).await?;
        stop.store(true, Ordering::Relaxed);
        callers.join_all().await.into_iter().collect::<anyhow::Result<()>>()?;

        let (history, odd) = recorder.finish();
        let verdict = judge(&history, 0);
        assert_eq!((odd, &verdict.violations), (vec![], &vec![]));
        // Of those that were counted just before it, some were still under way.
        assert!(verdict.accepted > CALLS / 2 && verdict.refused > CALLS / 2, "{verdict}");
    }
    Ok(())
}

/// However slow the machine is.
async fn until_more(calls: &AtomicUsize, more: usize) -> anyhow::Result<()> {
    let enough = calls.load(Ordering::Relaxed) + more;
    let counted = async {
        while calls.load(Ordering::Relaxed) < enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.context("too few calls were answered")
}

/// The decision is made on a whole head, so it is made after the revocation.
#[tokio::test]
async fn request_half_sent_before_the_revocation_is_refused() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start().await?;
    for credential in credentials(&server).await? {
        let call = credential.show(Request::post("/v1/orders").json_text(r#"{"n":1}"#))?.bytes();
        // A signature covers the body, so that a signed request is decided after its last byte.
        let sent_before = match &credential {
            Credential::Bearer(_) => 40,
            Credential::Signing(_) => call.len() - 1,
        };
        let (before, after) = call.split_at_checked(sent_before).context("a short request")?;
        let mut half = server.connect().await?;
        half.send(before).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.connect().await?.ask(&credential.revocation()?).await?.expect_status(200)?;
        half.send(after).await?;
        half.answer_to("POST", PATIENCE).await?.expect_status(401)?;
    }
    Ok(())
}

/// Of many at once exactly one is told that it revoked the token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_revocations_of_one_token_succeed_once() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start().await?;
    for credential in credentials(&server).await? {
        let mut revokers = JoinSet::new();
        for _ in 0..12 {
            let (mut connection, request) = (server.connect().await?, credential.revocation()?);
            revokers
                .spawn(async move { connection.ask(&request).await.map(|answer| answer.status) });
        }
        let statuses = revokers.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let won = statuses.iter().filter(|&&status| status == 200).count();
        ensure!(won == 1, "{won} of 12 revocations succeeded: {statuses:?}");
        ensure!(statuses.iter().all(|s| matches!(s, 200 | 400 | 401)), "{statuses:?}");
    }
    Ok(())
}

/// One of each kind.
async fn credentials(server: &Server) -> anyhow::Result<[Credential; 2]> {
    let mut admin = Admin::connect(server).await?;
    let owner = admin.user_id(&server.facts().email).await?;
    let bearer = admin.create_bearer(&owner).await?;
    let derive = Request::post("/auth/api-tokens/derive")
        .header("identity", &format!("Bearer {}", server.facts().identity_token))
        .json_text("{}");
    let derived = server.connect().await?.ask(&derive).await?.expect_status(201)?;
    Ok([Credential::Bearer(bearer), Credential::Signing(Signer::read(&derived)?)])
}
