//! SIGTERM and SIGHUP, as a service manager sends them.

use crate::caller::{http, identified, json_of, shown, status, text};
use crate::process::SOON;
use crate::site::{PASSWORD, Served, Site, lines_of, make_issuer};
use crate::upstream::{ANSWER, Upstream};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const RELOADED: &str = "routes and keys were read again";
const NOT_RELOADED: &str = "not reloaded: everything stays as it was";

#[tokio::test]
async fn sigterm_lets_a_request_in_flight_finish_and_takes_no_new_one() {
    let upstream = Upstream::start().await;
    let site = Site::new(upstream.address).await;
    let mut served = site.serve().await;
    site.create_user(&served).await;
    // Kept open and idle: it must not hold up the end.
    let idle = http();
    let token = text(&served.log_in(&idle, PASSWORD).await.1, "access_token");
    let slow = http().get(format!("{}/slow", served.public)).header("X-API-Key", &token);
    let in_flight = tokio::spawn(slow.send());
    upstream.has_request().await;

    served.process.signal(Signal::TERM);
    for listener in [&served.public, &served.verify, &served.admin] {
        refuses_connections(listener.strip_prefix("http://").unwrap()).await;
    }
    assert!(!in_flight.is_finished(), "it was cut off");
    upstream.answer();
    let answer = timeout(SOON, in_flight).await.unwrap().unwrap().unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.text().await.unwrap(), ANSWER);
    let ended = served.process.ended().await;
    assert_eq!(ended.code(), Some(0), "{}", served.process.log());
    assert!(!served.process.log().contains("cut off"), "{}", served.process.log());

    let again = site.serve().await;
    assert_eq!(shown(&format!("{}/v1/orders", again.public), &token).await, 200);
    again.process.stop().await;
}

/// Load balancers must find out before connections are refused.
#[tokio::test]
async fn sigterm_with_notice_says_not_ready_and_serves_on_until_it_is_over_or_cut_short() {
    let mut site = Site::new(Upstream::start().await.address).await;
    site.config.push_str("\n[shutdown]\nnotice = \"1h\"\n");
    let refused = site.refused(&[]).await;
    assert!(refused.talk.contains("shutdown.notice: must be from 0s to 5m"), "{refused:?}");
    site.config = site.config.replace("\"1h\"", "\"5m\"");
    let mut served = site.serve().await;
    site.create_user(&served).await;
    let token = text(&served.log_in(&http(), PASSWORD).await.1, "access_token");
    let ready = format!("{}/readyz", served.verify);
    assert_eq!(status(http().get(&ready)).await, 200);

    served.process.signal(Signal::TERM);
    let told = timeout(SOON, async {
        while status(http().get(&ready)).await != 503 {
            sleep(Duration::from_millis(5)).await;
        }
    });
    told.await.expect("nobody was told");
    for path in ["/health", "/livez"] {
        assert_eq!(status(http().get(format!("{}{path}", served.admin))).await, 200);
    }
    let question = json!({ "token": token });
    let verify = http().post(format!("{}/v1/verify", served.verify)).json(&question);
    assert_eq!(json_of(verify).await.1["valid"], true);

    served.process.signal(Signal::TERM);
    let ended = served.process.ended().await;
    assert_eq!(ended.code(), Some(0), "{}", served.process.log());
}

/// Waits until nobody listens at this address.
async fn refuses_connections(address: &str) {
    let refused = timeout(SOON, async {
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    refused.await.unwrap_or_else(|_| panic!("{address} goes on accepting"));
}

#[tokio::test]
async fn sighup_makes_changed_routes_hold() {
    let upstream = Upstream::start().await;
    let mut site = Site::new(upstream.address).await;
    let mut served = site.serve().await;
    site.create_user(&served).await;
    let token = text(&served.log_in(&http(), PASSWORD).await.1, "access_token");
    let (status_page, orders) =
        (format!("{}/status", served.public), format!("{}/v1/orders", served.public));
    assert_eq!(status(http().get(&status_page)).await, 200);
    assert_eq!(shown(&orders, &token).await, 200);

    // What was public asks for a scope, and what asked for a token asks for another scope.
    site.config = site
        .config
        .replace("path = \"/status\"\npublic = true", "path = \"/status\"\nscopes = [\"reports\"]")
        .replace("path = \"/reports\"", "path = \"/v1/orders\"");
    reload(&site, &mut served, RELOADED).await;
    assert_eq!(status(http().get(&status_page)).await, 401);
    assert_eq!(shown(&status_page, &token).await, 403);
    assert_eq!(shown(&orders, &token).await, 403);

    // And the other way round, on another upstream.
    let other = Upstream::start().await;
    let address = upstream.address.to_string();
    site.config = site
        .config
        .replace("scopes = [\"reports\"]\n\n[[g", "public = true\n\n[[g")
        .replace("path = \"/v1/orders\"", "path = \"/reports\"")
        .replace(&address, &other.address.to_string());
    drop(upstream);
    reload(&site, &mut served, RELOADED).await;
    assert_eq!(status(http().get(&status_page)).await, 200);
    assert_eq!(shown(&orders, &token).await, 200);
    served.process.stop().await;
}

#[tokio::test]
async fn a_faulty_configuration_changes_nothing() {
    let mut site = Site::new(Upstream::start().await.address).await;
    let mut served = site.serve().await;
    let status_page = format!("{}/status", served.public);
    let good = site.config.replace("public = true", "scopes = [\"reports\"]");
    for (faulty, said) in [
        (good.replace("scopes = [\"rep", "scops = [\"rep"), "did you mean `gateway.routes[].scope"),
        (good.replace("[gateway]", "[gateway"), "is not valid TOML"),
        (good.replace("path = \"/status\"", "path = \"status\""), "gateway.routes[0].path"),
        (good.replace("upstream = \"http://", "upstream = \""), "gateway.upstream"),
        (format!("{good}\n[sealing]\nkey_files = []\n"), "is not valid TOML"),
        (good.replace("[\"DIR/sealing.key\"]", "[]"), "sealing.key_files"),
    ] {
        site.config = faulty;
        let log = reload(&site, &mut served, NOT_RELOADED).await;
        let last = lines_of(&log).pop().unwrap();
        assert!(text(&last, "error").contains(said), "{last}");
        assert_eq!(last["level"], "ERROR");
        assert_eq!(status(http().get(&status_page)).await, 200, "{said}: it took effect");
    }
    fs::remove_file(site.config_file()).unwrap();
    let log = hang_up(&mut served, NOT_RELOADED).await;
    assert!(log.contains("cannot read the configuration file"), "{log}");
    assert_eq!(status(http().get(&status_page)).await, 200);

    site.config = good;
    reload(&site, &mut served, RELOADED).await;
    assert_eq!(status(http().get(&status_page)).await, 401);
    served.process.stop().await;
}

#[tokio::test]
async fn sighup_takes_an_issuers_new_keys() {
    let site = Site::new(Upstream::start().await.address).await;
    make_issuer(&site.home, "rotated").await;
    let (old, new) = (site.identity("issuer").await, site.identity("rotated").await);
    let mut served = site.serve().await;
    let base = served.public.clone();
    assert_eq!((identified(&base, &old).await, identified(&base, &new).await), (200, 401));

    fs::copy(site.home.path("rotated/jwks.json"), site.home.path("issuer/jwks.json")).unwrap();
    reload(&site, &mut served, RELOADED).await;
    assert_eq!((identified(&base, &old).await, identified(&base, &new).await), (401, 200));

    // A set that cannot be read is no reason to lock everybody out, nor to say that all is well.
    fs::write(site.home.path("issuer/jwks.json"), "{\"keys\":[").unwrap();
    let log = reload(&site, &mut served, "not every issuer's keys could be read").await;
    assert!(log.contains("the key set cannot be used") && log.contains("not a JWK set"), "{log}");
    assert_eq!(log.matches(RELOADED).count(), 1, "{log}");
    assert_eq!((identified(&base, &old).await, identified(&base, &new).await), (401, 200));
    served.process.stop().await;
}

#[tokio::test]
async fn changes_that_need_a_restart_are_not_passed_over_in_silence() {
    let mut site = Site::new(Upstream::start().await.address).await;
    let mut served = site.serve().await;
    let waits = "other changes, which wait for the next start";
    site.config = site.config.replace("path = \"/reports\"", "path = \"/v2/reports\"");
    let log = reload(&site, &mut served, RELOADED).await;
    assert!(!log.contains(waits), "{log}");
    site.config = site.config.replace("token_lifetime = \"30d\"", "token_lifetime = \"1d\"");
    let log = reload(&site, &mut served, RELOADED).await;
    assert!(log.contains(waits), "{log}");
    served.process.stop().await;
}

/// Writes the configuration as it is now, sends SIGHUP, and waits for what the server says of it.
async fn reload(site: &Site, served: &mut Served, message: &str) -> String {
    site.write_config();
    hang_up(served, message).await
}

async fn hang_up(served: &mut Served, message: &str) -> String {
    let before = served.process.log().matches(message).count();
    served.process.signal(Signal::HUP);
    served.process.logs(|log| log.ends_with('\n') && log.matches(message).count() > before).await
}
