//! Every way of asking a node that reads through: the gateway, what proxies ask before they pass a
//! request on, over HTTP and over gRPC (by a real Envoy), and OAuth's introspection.
//!
//! Another way is asked first after each revocation: once one has waited for its round, memory is new
//! enough, and nothing would show that the next one has not waited.

use super::{Said, Scene};
use anyhow::{Context as _, bail, ensure};
use rescind_e2e::credential::{Credential, Signer};
use rescind_e2e::link::Hold;
use rescind_e2e::nodes::Setup;
use rescind_e2e::page::Places;
use rescind_e2e::proxy::{Program, Proxy};
use rescind_e2e::server::Server;
use rescind_e2e::upstream::Upstream;
use rescind_e2e::wire::{Answer, Connection, Request};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const LAST_READS_THROUGH: Setup = Setup { through: 1, ..Setup::of(3, "3s") };
const THROUGH: usize = 2;
/// How long a verification waits for its proof, and what a busy machine adds.
const ANSWERED_WITHIN: Duration = Duration::from_millis(3_000 + 1_500);
/// Without a lease to wait for: less than one.
const AT_ONCE: Duration = Duration::from_millis(1_500);
const BACK_WITHIN: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Gateway,
    /// A request that is refused before its body is read, or after.
    GatewayWithABody,
    Nginx,
    Caddy,
    Haproxy,
    EnvoyHttp,
    EnvoyGrpc,
    Introspection,
}

const WAYS: [Way; 8] = [
    Way::Gateway,
    Way::GatewayWithABody,
    Way::Nginx,
    Way::Caddy,
    Way::Haproxy,
    Way::EnvoyHttp,
    Way::EnvoyGrpc,
    Way::Introspection,
];

/// The nodes, an API behind the last one's gateway and behind an Envoy, and a partner.
struct Site {
    scene: Scene,
    api: Upstream,
    envoy: Proxy,
    partner: String,
}

impl Site {
    async fn open() -> anyhow::Result<Self> {
        let mut scene = Scene::with(LAST_READS_THROUGH).await?;
        let api = Upstream::start().await?;
        let upstream = ("RESCIND_GATEWAY__UPSTREAM", format!("http://{}", api.address()));
        scene.nodes.node_mut(THROUGH)?.restart_with(vec![upstream]).await?;
        let server = scene.nodes.node(THROUGH)?.server()?;
        let (verify, grpc) = (server.verify()?, server.grpc()?);
        let places = Places { web: verify, verify, grpc, api: api.address() };
        let envoy = Proxy::start(Program::EnvoyGrpc, &Program::EnvoyGrpc.page()?, places).await?;
        let partner = Request::post("/v1/partners").json(&json!({
            "issuer": "https://issuer.example", "subject": "did:p", "token_management": true,
        }));
        let partner = scene.nodes.admin(0).await?.ask(partner).await?.expect_status(201)?.json()?;
        let partner = partner["id"].as_str().context("no id")?.to_owned();
        Ok(Self { scene, api, envoy, partner })
    }

    fn through(&self) -> anyhow::Result<&Server> {
        self.scene.nodes.node(THROUGH)?.server()
    }

    async fn bearer(&self) -> anyhow::Result<Credential> {
        Ok(Credential::Bearer(self.scene.create(0).await?))
    }

    async fn signer(&self) -> anyhow::Result<Credential> {
        let signer: Signer = self.scene.nodes.admin(0).await?.create_signer(&self.partner).await?;
        Ok(Credential::Signing(signer))
    }

    /// Answered by the first node or the second.
    async fn revoke(&self, node: usize, credential: &Credential) -> anyhow::Result<()> {
        let mut admin = self.scene.nodes.admin(node).await?;
        let begun = Instant::now();
        admin.revoke(credential.id()).await?.expect_status(200)?;
        ensure!(begun.elapsed() <= AT_ONCE, "{:?}", begun.elapsed());
        Ok(())
    }

    fn address(&self, way: Way) -> anyhow::Result<SocketAddr> {
        match way {
            Way::Gateway | Way::GatewayWithABody => self.through()?.public(),
            Way::EnvoyGrpc => Ok(self.envoy.address()),
            _ => self.through()?.verify(),
        }
    }

    fn question(&self, way: Way, credential: &Credential) -> anyhow::Result<Request> {
        let told = |profile: &str, headers: [(&str, &str); 3]| {
            let request = credential.show(Request::get("/v1/orders?n=1"))?;
            let target = format!("/v1/forward-auth/{profile}");
            let request = Request { target, ..request };
            anyhow::Ok(headers.iter().fold(request, |r, (name, value)| r.header(name, value)))
        };
        match way {
            Way::Gateway | Way::EnvoyGrpc => credential.show(Request::get("/v1/orders?n=1")),
            Way::GatewayWithABody => {
                credential.show(Request::post("/v1/orders").json_text(r#"{"n":1}"#))
            }
            Way::Nginx => told("nginx", TOLD_BY_NGINX),
            Way::Caddy => told("caddy", TOLD_BY_CADDY),
            Way::Haproxy => told("haproxy", TOLD_BY_HAPROXY),
            Way::EnvoyHttp => {
                let request = credential.show(Request::get("/v1/orders?n=1"))?;
                let target = format!("/v1/forward-auth/envoy/any{}", request.target);
                Ok(Request { target, ..request })
            }
            Way::Introspection => {
                let Credential::Bearer(bearer) = credential else { bail!("not introspected") };
                let authorization = format!("Bearer {}", self.through()?.facts().admin_token);
                let mut request = Request::post("/v1/introspect")
                    .header("Authorization", &authorization)
                    .header("Content-Type", "application/x-www-form-urlencoded");
                request.body = format!("token={}", bearer.text).into_bytes();
                Ok(request)
            }
        }
    }

    /// What is said, and whether the API saw what it should.
    async fn ask(
        &self,
        way: Way,
        connection: &mut Connection,
        credential: &Credential,
    ) -> anyhow::Result<Said> {
        self.api.take();
        let answer = connection.ask(&self.question(way, credential)?).await?;
        let said = heard(way, &answer).with_context(|| format!("{way:?}"))?;
        let passes_on = matches!(way, Way::Gateway | Way::GatewayWithABody | Way::EnvoyGrpc);
        let expected = usize::from(passes_on && said == Said::Valid);
        let arrived = self.api.take().len();
        ensure!(arrived == expected, "{way:?}: {arrived} requests arrived, and {said:?} was said");
        Ok(said)
    }

    async fn connect(&self, ways: &[Way]) -> anyhow::Result<Vec<(Way, Connection)>> {
        let mut open = Vec::new();
        for way in ways {
            open.push((*way, Connection::open(self.address(*way)?).await?));
        }
        Ok(open)
    }

    async fn all_say(
        &self,
        open: &mut [(Way, Connection)],
        credential: &Credential,
        expected: Said,
    ) -> anyhow::Result<()> {
        for (way, connection) in open {
            let said = self.ask(*way, connection, credential).await?;
            ensure!(said == expected, "{way:?} says {said:?} of {}", credential.id());
        }
        Ok(())
    }
}

const TOLD_BY_NGINX: [(&str, &str); 3] = [
    ("X-Original-Method", "GET"),
    ("X-Original-URI", "/v1/orders?n=1"),
    ("X-Real-IP", "198.51.100.7"),
];
const TOLD_BY_CADDY: [(&str, &str); 3] = [
    ("X-Forwarded-Method", "GET"),
    ("X-Forwarded-Uri", "/v1/orders?n=1"),
    ("X-Forwarded-For", "198.51.100.7"),
];
const TOLD_BY_HAPROXY: [(&str, &str); 3] = [
    ("X-Rescind-Original-Method", "GET"),
    ("X-Rescind-Original-Target", "/v1/orders?n=1"),
    ("X-Real-IP", "198.51.100.7"),
];

fn heard(way: Way, answer: &Answer) -> anyhow::Result<Said> {
    // nginx takes two kinds of no, and is told the one that is meant.
    let status = match answer.header("x-rescind-status") {
        Some(meant) if way == Way::Nginx && answer.status != 200 => meant.parse()?,
        _ => answer.status,
    };
    match status {
        200 if way == Way::Introspection => {
            let active = answer.json()?["active"] == true;
            Ok(if active { Said::Valid } else { Said::Invalid })
        }
        200 => Ok(Said::Valid),
        401 => Ok(Said::Invalid),
        // In words of the node's own, whoever passes them on; in OAuth's for OAuth.
        503 => {
            let fault = answer.json()?;
            let own = fault["type"] == "urn:rescind:problem:unavailable";
            let own = own || (way == Way::Introspection && fault["error"].is_string());
            ensure!(own, "{}", answer.text());
            Ok(Said::Nothing)
        }
        _ => bail!("{}", answer.text()),
    }
}

#[tokio::test]
async fn every_way_of_asking_a_node_without_a_lease_refuses_what_another_has_revoked()
-> anyhow::Result<()> {
    let site = Site::open().await?;
    let mut open = site.connect(&WAYS).await?;
    for round in 0..WAYS.len() {
        let bearer = site.bearer().await?;
        site.all_say(&mut open, &bearer, Said::Valid).await?;
        site.revoke(round % 2, &bearer).await?;
        site.all_say(&mut open, &bearer, Said::Invalid).await?;
        open.rotate_left(1);
    }
    let mut open = site.connect(&SIGNED_WAYS).await?;
    for round in 0..SIGNED_WAYS.len() {
        let signer = site.signer().await?;
        site.all_say(&mut open, &signer, Said::Valid).await?;
        site.revoke(round % 2, &signer).await?;
        site.all_say(&mut open, &signer, Said::Invalid).await?;
        open.rotate_left(1);
    }
    Ok(())
}

const SIGNED_WAYS: [Way; 4] = [Way::Gateway, Way::GatewayWithABody, Way::Caddy, Way::EnvoyGrpc];

#[tokio::test]
async fn no_way_of_asking_a_node_without_a_lease_is_answered_while_it_is_cut_off()
-> anyhow::Result<()> {
    let site = Site::open().await?;
    let (revoked, kept, signer) =
        (site.bearer().await?, site.bearer().await?, site.signer().await?);
    let mut open = site.connect(&WAYS).await?;
    let mut signing = site.connect(&SIGNED_WAYS).await?;
    for bearer in [&revoked, &kept] {
        site.all_say(&mut open, bearer, Said::Valid).await?;
    }
    site.all_say(&mut signing, &signer, Said::Valid).await?;
    let held = site.scene.nodes.node(THROUGH)?.link()?.hold(Hold::ALL);
    site.revoke(0, &revoked).await?;
    site.api.take();
    let mut asked = JoinSet::new();
    for (ways, credential) in [(&WAYS[..], &revoked), (&WAYS, &kept), (&SIGNED_WAYS, &signer)] {
        for (way, connection) in site.connect(ways).await? {
            asked.spawn(says_nothing(way, connection, site.question(way, credential)?));
        }
    }
    asked.join_all().await.into_iter().collect::<anyhow::Result<()>>()?;
    ensure!(site.api.take().is_empty(), "something reached the API");
    drop(held);
    for way in &mut open {
        let begun = Instant::now();
        loop {
            match site.ask(way.0, &mut way.1, &revoked).await? {
                Said::Invalid => break,
                Said::Valid => bail!("{:?} accepts what was revoked meanwhile", way.0),
                Said::Nothing => ensure!(begun.elapsed() < BACK_WITHIN, "{:?} is not back", way.0),
            }
        }
    }
    site.all_say(&mut open, &kept, Said::Valid).await?;
    site.all_say(&mut signing, &signer, Said::Valid).await
}

/// All at once, since each takes its time.
async fn says_nothing(way: Way, mut connection: Connection, asked: Request) -> anyhow::Result<()> {
    let begun = Instant::now();
    let said = heard(way, &connection.ask(&asked).await?).with_context(|| format!("{way:?}"))?;
    ensure!(said == Said::Nothing, "{way:?} says {said:?}");
    ensure!(begun.elapsed() <= ANSWERED_WITHIN, "{way:?} took {:?}", begun.elapsed());
    Ok(())
}
