//! Clients that take their time, or never come to the point, and very many that say nothing.
//!
//! Waiting is cheap for the client and must be bounded for the server; meanwhile everybody else
//! is served.

use super::World;
use anyhow::{Context as _, ensure};
use rescind_e2e::admin::Admin;
use rescind_e2e::clock::monotonic_ns;
use rescind_e2e::server::{Home, Server};
use rescind_e2e::wire::{Connection, Request};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;

/// Every time-out is 30 s or less by default.
const ENDED_WITHIN: Duration = Duration::from_secs(42);

/// One byte at a time: each keeps a naive time-out from firing.
const DRIP_EVERY: Duration = Duration::from_millis(700);

const IDLE_CONNECTIONS: usize = 2_000;

/// For a client that behaves, whatever the others do.
const SERVED_WITHIN: Duration = Duration::from_secs(1);

/// What is sent at once, and what then drips for ever.
struct Slow {
    name: &'static str,
    address: SocketAddr,
    at_once: Vec<u8>,
    drips: &'static [u8],
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_never_end_are_ended_and_nobody_else_waits() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start_raw().await?;
    let world = World::new(&server).await?;
    let before = Admin::connect(&server).await?.state().await?;
    let mut slow = JoinSet::new();
    for client in slow_clients(&server, &world)? {
        slow.spawn(async move { client.run().await.context(client.name) });
    }
    let mut served = 0;
    let mut faults = Vec::new();
    while !slow.is_empty() {
        while let Some(ended) = slow.try_join_next() {
            faults.extend(ended?.err().map(|fault| format!("{fault:#}")));
        }
        serve_one(&server, &world).await?;
        served += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(served > 10, "the slow ones were gone at once, so nothing was proven");
    assert_eq!(before, Admin::connect(&server).await?.state().await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_idle_connections_do_not_keep_a_client_waiting() -> anyhow::Result<()> {
    // Three for each where it goes through a front that starts here.
    raise_file_limit(3 * IDLE_CONNECTIONS as u64 + 500)?;
    let home = Home::new()?;
    let server = home.start_raw().await?;
    let world = World::new(&server).await?;
    let mut idle = Vec::new();
    for n in 0..IDLE_CONNECTIONS {
        let mut connection = server.connect().await?;
        // A third says nothing, a third stops within the head, a third has been served once.
        match n % 3 {
            0 => {}
            1 => connection.send(b"GET /v1/products HTTP/1.1\r\nHost: h\r\nX-API").await?,
            _ => drop(connection.ask(&Request::get("/v1/products")).await?.expect_status(401)?),
        }
        idle.push(connection);
    }
    for _ in 0..50 {
        serve_one(&server, &world).await?;
    }
    Ok(())
}

fn slow_clients(server: &Server, world: &World) -> anyhow::Result<Vec<Slow>> {
    let (public, verify, admin) = (server.public()?, server.verify()?, server.admin()?);
    let waiting = |request: Request| request.json_text(&"x".repeat(1_000));
    // The head of a request whose body will not come.
    let head = |request: Request| waiting(request).head().into_bytes();
    let chunked = "Transfer-Encoding: chunked\r\nContent-Type: application/json";
    let login_chunked = format!("POST /auth/token HTTP/1.1\r\nHost: h\r\n{chunked}\r\n\r\n");
    let zeros = [login_chunked.as_bytes(), b"0".repeat(50_000).as_slice()].concat();
    let login = || Request::post("/auth/token");
    let derive = || world.with_identity(Request::post("/auth/api-tokens/derive"));
    let slow = |name, address, at_once: Vec<u8>, drips| Slow { name, address, at_once, drips };
    let half_head = || b"GET /v1/products HTTP/1.1\r\nHost: h\r\nx: ".to_vec();
    Ok(vec![
        slow("head never ends, public", public, half_head(), b""),
        slow("head never ends, verify", verify, half_head(), b""),
        slow("head never ends, admin", admin, half_head(), b""),
        slow("head drips, public", public, half_head(), b"y"),
        slow("head drips, verify", verify, half_head(), b"y"),
        slow("head drips, admin", admin, half_head(), b"y"),
        slow("request line drips", public, b"G".to_vec(), b"E"),
        slow("login never comes", public, head(login()), b""),
        slow("login drips", public, head(login()), b"{"),
        slow("chunked login drips", public, login_chunked.into_bytes(), b"1\r\n \r\n"),
        slow("chunk size of endless zeros", public, zeros, b"0"),
        slow("derive never comes", public, head(derive()), b""),
        slow("derive drips", public, head(derive()), b" "),
        slow("verify never comes", verify, head(Request::post("/v1/verify")), b""),
        slow("verify drips", verify, head(Request::post("/v1/verify")), b" "),
        slow("user never comes", admin, head(world.as_admin(Request::post("/v1/users"))), b""),
        slow(
            "signed body never comes",
            public,
            head(world.signer.sign(Request::post("/v1/orders"))?),
            b"",
        ),
        slow(
            "signed body drips",
            public,
            head(world.signer.sign(Request::post("/v1/orders"))?),
            b"x",
        ),
        slow(
            "streamed body never comes",
            public,
            head(world.bearer.show(Request::post("/v1/orders"))),
            b"",
        ),
    ])
}

impl Slow {
    /// It must come to an end: by an answer or by closing, and never by a fault of the server.
    async fn run(&self) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.address).await?;
        connection.send(&self.at_once).await?;
        let begun = monotonic_ns();
        loop {
            if let Ok(said) = connection.until_closed(DRIP_EVERY).await {
                return self.check(&said);
            }
            let waited = Duration::from_nanos(monotonic_ns() - begun);
            ensure!(waited < ENDED_WITHIN, "still open after {waited:?}");
            // Sending into a closed connection fails; the next reading tells what was said before.
            let _ = connection.send(self.drips).await;
        }
    }

    fn check(&self, said: &[u8]) -> anyhow::Result<()> {
        let said = String::from_utf8_lossy(said);
        let status = said.split(' ').nth(1).unwrap_or_default();
        let allowed = ["", "400", "401", "408", "413"];
        // The upstream waits for the body too, and may be the first to give up.
        let streamed = self.name.starts_with("streamed") && matches!(status, "502" | "504");
        ensure!(allowed.contains(&status) || streamed, "{said}");
        Ok(())
    }
}

/// A client that behaves, on a new connection.
async fn serve_one(server: &Server, world: &World) -> anyhow::Result<()> {
    let call = world.bearer.show(Request::get("/v1/products"));
    let serve = async { server.connect().await?.ask(&call).await?.expect_status(200) };
    tokio::time::timeout(SERVED_WITHIN, serve).await.context("a good client had to wait")??;
    Ok(())
}

/// For this process and the servers that it starts.
fn raise_file_limit(files: u64) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    ensure!(most >= files, "this test needs {files} open files: raise `ulimit -Hn` from {most}");
    if limit.current.is_some_and(|current| current < files) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum })?;
    }
    Ok(())
}
