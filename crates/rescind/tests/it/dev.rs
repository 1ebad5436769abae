//! `rescind dev`: the first minute of a newcomer.

use crate::caller::{Dev, http, identified, shown, status};
use crate::process::{FREE_PORTS, Home, names_in, run};
use rescind_guard::{Clock as _, clock::SystemClock};
use rustix::process::Signal;
use std::fs;

/// Beyond this nobody calls it quick, not even of a debug build on a busy machine.
const READY_WITHIN_MILLIS: u64 = 10_000;

#[tokio::test]
async fn json_is_one_line_with_everything_that_a_script_needs() {
    let home = Home::new();
    let mut dev = Dev::start(&home).await;
    let mut names: Vec<_> = dev.facts.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let promised = [
        "admin_token",
        "admin_url",
        "base_url",
        "data",
        "email",
        "grpc_url",
        "identity_token",
        "password",
        "upstream_url",
        "verify_url",
    ];
    assert_eq!(names, promised);
    for url in ["base_url", "verify_url", "admin_url", "grpc_url", "upstream_url"] {
        assert!(dev.fact(url).starts_with("http://127.0.0.1:"), "{url}");
    }
    assert_eq!(dev.fact("data"), home.path("data/rescind/dev").to_str().unwrap());

    for health in ["verify_url", "admin_url"] {
        assert_eq!(status(http().get(format!("{}/health", dev.fact(health)))).await, 200);
    }
    let operator = http().get(format!("{}/v1/status", dev.fact("admin_url")));
    assert_eq!(status(operator.bearer_auth(dev.fact("admin_token"))).await, 200);
    assert_eq!(identified(dev.fact("base_url"), dev.fact("identity_token")).await, 200);
    assert_eq!(shown(&dev.at("/v1/orders"), &dev.token().await).await, 200);
    assert_eq!(status(http().get(dev.fact("upstream_url"))).await, 200);

    dev.process.signal(Signal::INT);
    assert_eq!(dev.process.ended().await.code(), Some(0));
    assert_eq!(dev.process.out().matches('\n').count(), 1, "{}", dev.process.out());
    assert_eq!(dev.process.log(), "");
}

#[tokio::test]
async fn the_lines_to_paste_show_the_promise() {
    let home = Home::new();
    let line = ["dev"].iter().chain(&FREE_PORTS);
    let mut dev = home.start("dev", home.rescind(line));
    let welcome = dev.says(|out| out.contains("Ctrl-C stops.\n")).await;
    // Everything from the first indented command to the blank line after the last.
    let paste: Vec<_> = welcome
        .lines()
        .skip_while(|line| !line.starts_with("  URL="))
        .take_while(|line| line.starts_with("  "))
        .collect();
    assert!((5..=7).contains(&paste.len()), "{welcome}");

    let mut bash = home.command("bash");
    bash.arg("-c").arg(paste.join("\n"));
    let ran = run(bash, "").await.well();
    // Bodies need not end a line.
    let statuses: Vec<_> =
        ran.out.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect();
    assert_eq!(statuses, ["200", "200", "401"], "{ran:?}");
    assert!(ran.out.contains(r#""target": "/v1/orders""#), "not from the demo API: {ran:?}");
    dev.stop().await;
}

#[tokio::test]
async fn it_is_ready_quickly() {
    let home = Home::new();
    for which in ["first", "second"] {
        let began = SystemClock.boottime().as_millis();
        let dev = Dev::start(&home).await;
        let took = SystemClock.boottime().as_millis() - began;
        println!("the {which} start of this build took {took} ms");
        assert!(took < READY_WITHIN_MILLIS, "the {which} start took {took} ms");
        dev.process.stop().await;
    }
}

#[tokio::test]
async fn data_are_kept_between_runs() {
    let home = Home::new();
    let first = Dev::start(&home).await;
    let (kept, revoked) = (first.token().await, first.token().await);
    let revoke = http().delete(first.at("/auth/token")).header("X-API-Key", &revoked);
    assert_eq!(status(revoke).await, 200);
    let facts = first.facts.clone();
    first.process.stop().await;

    let second = Dev::start(&home).await;
    assert_eq!(shown(&second.at("/v1/orders"), &kept).await, 200);
    assert_eq!(shown(&second.at("/v1/orders"), &revoked).await, 401);
    for same in ["admin_token", "email", "password", "data"] {
        assert_eq!(second.facts[same], facts[same]);
    }
    let before = facts["identity_token"].as_str().unwrap();
    assert_eq!(identified(second.fact("base_url"), before).await, 200);
    second.process.stop().await;
}

#[tokio::test]
async fn fresh_begins_anew_and_leaves_foreign_files_alone() {
    let home = Home::new();
    let first = Dev::start(&home).await;
    let (token, facts) = (first.token().await, first.facts.clone());
    first.process.stop().await;
    let data = home.path("data/rescind/dev");
    let foreign = ["rescind.db.backup", "issuer.pem.old", "notes.txt"];
    for name in foreign {
        fs::write(data.join(name), "mine").unwrap();
    }
    let before = names_in(&data);

    let second = Dev::start_with(&home, &["--fresh"]).await;
    for anew in ["admin_token", "password"] {
        assert_ne!(second.facts[anew], facts[anew]);
    }
    assert_eq!(shown(&second.at("/v1/orders"), &token).await, 401);
    let identity = facts["identity_token"].as_str().unwrap();
    assert_eq!(identified(second.fact("base_url"), identity).await, 401);
    assert_eq!(shown(&second.at("/v1/orders"), &second.token().await).await, 200);
    second.process.stop().await;
    assert_eq!(names_in(&data), before);
    for name in foreign {
        assert_eq!(fs::read_to_string(data.join(name)).unwrap(), "mine");
    }
}

#[tokio::test]
async fn fresh_beside_a_running_server_is_refused() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let token = dev.token().await;
    let before = names_in(&home.path("data/rescind/dev"));
    let line = ["dev", "--fresh"].iter().chain(&FREE_PORTS);
    let ran = run(home.rescind(line), "").await;
    assert_eq!((ran.exit, ran.out.as_str()), (3, ""), "{ran:?}");
    assert!(ran.talk.contains("is in use by another server"), "{ran:?}");
    assert!(ran.talk.contains("next: stop that server first"), "{ran:?}");
    assert_eq!(names_in(&home.path("data/rescind/dev")), before);
    assert_eq!(shown(&dev.at("/v1/orders"), &token).await, 200);
    dev.process.stop().await;
}

#[tokio::test]
async fn fresh_takes_nothing_away_if_it_cannot_start() {
    let home = Home::new();
    let first = Dev::start(&home).await;
    let token = first.token().await;
    first.process.stop().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let ran = home.run(&format!("dev --fresh --listen {address}"), "").await;
    assert_eq!(ran.exit, 3, "{ran:?}");
    let again = Dev::start(&home).await;
    assert_eq!(shown(&again.at("/v1/orders"), &token).await, 200);
    again.process.stop().await;
}

#[tokio::test]
async fn a_demo_never_leaves_this_machine() {
    let home = Home::new();
    for option in ["--listen", "--verify-listen", "--admin-listen", "--grpc-listen"] {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let ran = home.run(&format!("dev {option} {address}"), "").await;
            assert_eq!((ran.exit, ran.out.as_str()), (2, ""), "{ran:?}");
            assert!(ran.talk.contains("is not a loopback address"), "{ran:?}");
            assert!(ran.talk.contains("next: use `rescind serve"), "{ran:?}");
        }
    }
    assert_eq!(names_in(&home.path("")), Vec::<String>::new(), "something was made");
}

#[tokio::test]
async fn each_kind_of_identity_is_answered_as_it_deserves() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    for (kind, status) in [
        ("valid", 200),
        ("expired", 401),
        ("wrong-aud", 401),
        ("wrong-iss", 401),
        ("wrong-key", 401),
    ] {
        let line = format!("dev identity --subject did:rescind:demo --kind {kind}");
        let token = home.run(&line, "").await.well().out;
        assert_eq!(identified(dev.fact("base_url"), token.trim()).await, status, "{kind}");
    }
    let json = home.run("dev identity --subject somebody-new --json", "").await.well().json();
    let token = json["identity_token"].as_str().unwrap();
    assert_eq!(identified(dev.fact("base_url"), token).await, 200);
    dev.process.stop().await;
}
