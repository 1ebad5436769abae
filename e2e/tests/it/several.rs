//! What one server does, three do, whichever of them a request meets: the other tests of this kind
//! have a twin for three nodes beside them.

use anyhow::{Context as _, ensure};
use rescind_e2e::admin::{Admin, text};
use rescind_e2e::audit::Chain;
use rescind_e2e::credential::Bearer;
use rescind_e2e::server::{Home, Server};
use rescind_e2e::several::Setup;
use rescind_e2e::wire::{Connection, Request};
use serde_json::json;

/// With three nodes, so many that each step has surely met a node that did not do the step before.
const ROUNDS: usize = 15;
/// As many of many requests as a fair lot gives each of three nodes for certain.
const FAIR_SHARE: usize = 5;

#[tokio::test]
async fn wizcommerce_contract_is_kept_by_one_node() -> anyhow::Result<()> {
    wizcommerce(&Home::new()?.start_alone(&[]).await?).await
}

#[tokio::test]
async fn wizcommerce_contract_is_kept_by_three_nodes() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start_several(Setup::of(3)).await?;
    wizcommerce(&server).await.with_context(|| home.log_tail())?;
    met_all(&server)
}

#[tokio::test]
async fn operators_work_is_done_on_one_node() -> anyhow::Result<()> {
    administration(&Home::new()?.start_alone(&[]).await?).await
}

#[tokio::test]
async fn operators_work_is_done_on_three_nodes() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start_several(Setup::of(3)).await?;
    administration(&server).await.with_context(|| home.log_tail())?;
    met_all(&server)
}

/// Otherwise it was one node, and nothing was shown.
pub(crate) fn met_all(server: &Server) -> anyhow::Result<()> {
    let counts = server.several().context("one node")?.counts();
    ensure!(counts.len() > 1, "{counts:?}");
    ensure!(counts.iter().all(|count| *count >= FAIR_SHARE), "{counts:?}");
    Ok(())
}

async fn wizcommerce(server: &Server) -> anyhow::Result<()> {
    let facts = server.facts();
    let mut public = server.connect().await?;
    for _ in 0..ROUNDS {
        let credentials = json!({"email": facts.email, "password": facts.password});
        let login = Request::post("/auth/token").json(&credentials);
        let token = public.ask(&login).await?.expect_status(200)?.json()?;
        ensure!(token["token_type"] == "Bearer", "{token}");
        let bearer = Bearer { id: String::new(), text: text(&token, "access_token")? };
        public.ask(&bearer.show(Request::get("/v1/orders"))).await?.expect_status(200)?;
        let end = bearer.show(Request::delete("/auth/token"));
        let answer = public.ask(&end).await?.expect_status(200)?;
        ensure!(answer.body == br#"{"message":"Token revoked successfully"}"#, "{}", answer.text());
        for _ in 0..3 {
            public.ask(&bearer.show(Request::get("/v1/orders"))).await?.expect_status(401)?;
        }
        public.ask(&end).await?.expect_status(401)?;
    }
    Ok(())
}

async fn administration(server: &Server) -> anyhow::Result<()> {
    let mut admin = Admin::connect(server).await?;
    let mut verify = Connection::open(server.verify()?).await?;
    for round in 0..ROUNDS {
        let user = admin.create_user(&format!("u{round}@example.com"), "correct horse").await?;
        let bearer = admin.create_bearer(&user).await?;
        valid(&mut verify, &bearer, true).await?;
        let token = format!("/v1/tokens/{}", bearer.id);
        let label = Request::new("PATCH", &token).json(&json!({"label": "mine"}));
        admin.ask(label).await?.expect_status(200)?;
        let shown = admin.ask(Request::get(&token)).await?.expect_status(200)?.json()?;
        ensure!(shown["label"] == "mine", "{shown}");
        let rotate = Request::post(&format!("{token}/rotate")).json(&json!({}));
        let next = rescind_e2e::admin::read_bearer(&admin.ask(rotate).await?.expect_status(201)?)?;
        valid(&mut verify, &next, true).await?;
        valid(&mut verify, &bearer, false).await?;
        change(&mut admin, &format!("/v1/users/{user}/suspend")).await?;
        valid(&mut verify, &next, false).await?;
        change(&mut admin, &format!("/v1/users/{user}/resume")).await?;
        valid(&mut verify, &next, true).await?;
        let revoked = admin.revoke(&next.id).await?.expect_status(200)?.json()?;
        ensure!(revoked["already_revoked"] == false, "{revoked}");
        valid(&mut verify, &next, false).await?;
        let again = admin.revoke(&next.id).await?.expect_status(200)?.json()?;
        ensure!(again["already_revoked"] == true, "{again}");
        let last = admin.create_bearer(&user).await?;
        let all = Request::post("/v1/revocations").json(&json!({"owner_id": user}));
        admin.ask(all).await?.expect_status(200)?;
        valid(&mut verify, &last, false).await?;
    }
    // Whoever of them wrote an entry, it follows on the one before.
    let mut chain = Chain::default();
    chain.extend(admin.all("/v1/audit?").await?)?;
    let issued = chain.counts("token.issued").len();
    ensure!(issued >= 3 * ROUNDS, "{issued} tokens");
    Ok(())
}

async fn change(admin: &mut Admin, what: &str) -> anyhow::Result<()> {
    admin.ask(Request::post(what).json(&json!({}))).await?.expect_status(200)?;
    Ok(())
}

/// Asked several times, so that another node is met.
async fn valid(verify: &mut Connection, token: &Bearer, expected: bool) -> anyhow::Result<()> {
    for _ in 0..3 {
        let question = Request::post("/v1/verify").json(&json!({"token": token.text}));
        let said = verify.ask(&question).await?.expect_status(200)?.json()?;
        ensure!(said["valid"] == expected, "{said} of {}", token.id);
    }
    Ok(())
}
