//! Each rule at its edge: the last value that is accepted, and the first that is not.

use super::{Said, WHOLE, said};
use crate::config::Verification;

fn whole() -> Said {
    said(WHOLE)
}

/// Accepts each of `good`; refuses each of `bad`, naming the key.
fn edge(key: &str, good: &[&str], bad: &[&str]) {
    for value in good {
        whole().set(key, value).load().unwrap_or_else(|fault| panic!("{key} = {value}: {fault}"));
    }
    for value in bad {
        let (named, _) = whole().set(key, value).faults().swap_remove(0);
        assert!(named.starts_with(key), "{key} = {value}: {named}");
    }
}

#[test]
fn limits_hold_at_their_edges() {
    edge("public.connections_max", &["1", "1000000"], &["0", "1000001", "-1"]);
    edge("admin.header_timeout", &["1ms", "1h"], &["0s", "3601s"]);
    edge("grpc.connections_max", &["1", "1000000"], &["0", "1000001"]);
    edge("grpc.header_timeout", &["1ms", "1h"], &["0s", "3601s"]);
    edge("grpc.idle_timeout", &["1ms", "1h"], &["0s", "3601s"]);
    edge("gateway.response_timeout", &["1h"], &["0s", "61m"]);
    edge("gateway.signed_body_bytes_max", &["1", "67108864"], &["0", "67108865"]);
    edge("wizcommerce.token_lifetime", &["1s", "3650d"], &["0s", "3651d"]);
    edge("postgres.read_connections", &["1", "100"], &["0", "101"]);
    edge("cluster.lease", &["1s", "5m"], &["999ms", "301s"]);
    edge("cluster.probe", &["0s", "1s", "1h"], &["999ms", "3601s"]);
    edge("shutdown.notice", &["0s", "5m"], &["301s"]);
    edge("login.queue", &["0", "1024"], &["1025"]);
    edge("login.hashes_at_once", &["0", "1024"], &["1025"]);
    edge("login.per_email_per_minute", &["1", "1000000"], &["0", "1000001"]);
}

#[test]
fn node_has_a_name_that_fits_everywhere() {
    let longest = "n".repeat(64);
    edge("cluster.node", &["a", "node-1.example_org", &longest], &["", "a b", "a/b", "é"]);
    edge("cluster.node", &[], &[&"n".repeat(65)]);
}

#[test]
fn nodes_that_listen_say_where_they_are_found() {
    let key = "cluster.advertise";
    let anywhere = || whole().set("cluster.listen", "0.0.0.0:8083");
    assert_eq!(anywhere().one_fault().0, key);
    assert_eq!(whole().set(key, "node-1:8083").one_fault().0, key);
    let longest = format!("{}:65535", "n".repeat(253));
    for good in ["node-1.internal:8083", "10.0.0.7:1", "[2001:db8::7]:8083", &longest] {
        anywhere().set(key, good).load().unwrap();
    }
    let too_long = format!("n{longest}");
    for bad in
        ["node-1", ":8083", "node-1:0", "node-1:65536", "[node]:1", "a b:1", "u@h:1", &too_long]
    {
        assert_eq!(anywhere().set(key, bad).one_fault().0, key, "{bad}");
    }
}

#[test]
fn node_without_leases_has_a_database_of_all_and_listens_for_nobody() {
    let key = "cluster.verify";
    let shared = || whole().set("postgres.connection_file", "/etc/rescind/postgres");
    assert_eq!(whole().load().unwrap().cluster.verify, Verification::Lease);
    assert_eq!(whole().set(key, "read-through").one_fault().0, key);
    let through = || shared().set(key, "read-through");
    assert_eq!(through().load().unwrap().cluster.verify, Verification::ReadThrough);
    let listens = through().set("cluster.listen", "10.0.0.7:8083");
    assert_eq!(listens.one_fault().0, "cluster.listen");
    shared().set("cluster.listen", "10.0.0.7:8083").set(key, "lease").load().unwrap();
}

#[test]
fn loss_of_revocations_is_accepted_in_so_many_words_or_not_at_all() {
    let key = "postgres.accept_lost_revocations_on_failover";
    assert_eq!(whole().set("postgres.durability", "async").one_fault().0, key);
    whole().set("postgres.durability", "async").set(key, "true").load().unwrap();
    assert_eq!(whole().set(key, "true").one_fault().0, key);
    assert_eq!(whole().set("postgres.durability", "sync").set(key, "true").one_fault().0, key);
}

#[test]
fn listeners_do_not_share_a_port() {
    let shared = whole().set("verify.listen", "127.0.0.1:8080").one_fault();
    assert_eq!(shared.0, "verify.listen");
    let grpc = whole().set("grpc.listen", "127.0.0.1:8081").one_fault();
    assert_eq!(grpc.0, "grpc.listen");
    let cluster = whole().set("cluster.listen", "127.0.0.1:8081").one_fault();
    assert_eq!(cluster.0, "cluster.listen");
    let free = "127.0.0.1:0";
    whole().set("verify.listen", free).set("admin.listen", free).load().unwrap();
}

#[test]
fn trusted_networks_are_blocks_with_nothing_behind_the_prefix() {
    let bad = ["10.0.0.7/8", "localhost", "10.0.0.0/33", "::ffff:10.0.0.0/104"];
    for key in ["public.trusted_proxies", "verify.trusted_peers"] {
        edge(key, &["", "10.0.0.0/8,192.0.2.7", "2001:db8::/32"], &bad);
    }
}

#[test]
fn token_prefixes_cannot_be_taken_for_each_other() {
    edge("tokens.admin_prefix", &["ops_"], &["ops", "api_", "lmts_", "lmts_live_", "o ps_", ""]);
}

#[test]
fn header_prefixes_make_headers_that_mean_nothing_else() {
    let bad = ["", "x", "x-rescind", "x-rescind-a", "LMTS", "a_b", "-a", "a-", "a b"];
    edge("limitless.header_prefix", &["lmts", "acme-2"], &bad);
}

#[test]
fn default_scopes_are_among_all_scopes() {
    edge("limitless.default_scopes", &["trading", ""], &["admin", "trading,admin", "a\"b"]);
}

#[test]
fn the_upstream_is_an_origin() {
    let good = ["http://127.0.0.1:3000", "https://api.example", "http://[::1]:3000/"];
    let bad = [
        "127.0.0.1:3000",
        "ftp://a.example",
        "http://a.example/v1",
        "http://a.example/?q",
        "http://user@a.example",
        "unix:/run/a",
        "",
    ];
    edge("gateway.upstream", &good, &bad);
}

#[test]
fn routes_say_one_thing() {
    let good = [
        r#"[{path="/"}]"#,
        r#"[{path="/v1/orders", methods=["GET"]}, {path="/v1/orders", methods=["POST"]}]"#,
        r#"[{path="/open", public=true}]"#,
    ];
    let bad = [
        r#"[{path="v1"}]"#,
        r#"[{path="/v1/"}]"#,
        r#"[{path="/v1/../x"}]"#,
        r#"[{path="/v1%2f"}]"#,
        r#"[{path="/v1?x"}]"#,
        r#"[{path="/v1"}, {path="/v1", methods=["GET"]}]"#,
        r#"[{path="/v1", methods=["get"]}]"#,
        r#"[{path="/v1", scopes=["a b"]}]"#,
        r#"[{path="/v1", public=true, scopes=["a"]}]"#,
    ];
    edge("gateway.routes", &good, &bad);
}

#[test]
fn key_sets_come_from_one_place_that_can_be_trusted() {
    let issuer = |keys: &str| format!(r#"[{{issuer="i", audience="a", {keys}}}]"#);
    let good = [
        r#"jwks_file="/etc/jwks.json""#,
        r#"jwks_url="https://i.example/keys""#,
        r#"jwks_url="http://127.0.0.1:9000/keys""#,
        r#"jwks_url="http://[::1]/keys""#,
        r#"jwks_file="/a", refresh="10s""#,
        r#"jwks_file="/a", refresh="24h""#,
    ];
    let bad = [
        r#"create_partners=true"#,
        r#"jwks_file="/a", jwks_url="https://i.example/keys""#,
        r#"jwks_url="http://i.example/keys""#,
        r#"jwks_url="http://127.0.0.1.example/keys""#,
        r#"jwks_url="https://u:p@i.example/keys""#,
        r#"jwks_url="/keys""#,
        r#"jwks_file="/a", refresh="9s""#,
        r#"jwks_file="/a", refresh="25h""#,
    ];
    let (good, bad) = (good.map(issuer), bad.map(issuer));
    edge(
        "identity.issuers",
        &good.each_ref().map(String::as_str),
        &bad.each_ref().map(String::as_str),
    );
}

#[test]
fn one_issuer_may_have_several_audiences_but_not_one_twice() {
    let entry =
        |audience: &str| format!(r#"{{issuer="i", audience="{audience}", jwks_file="/a"}}"#);
    edge(
        "identity.issuers",
        &[&format!("[{}, {}]", entry("a"), entry("b"))],
        &[&format!("[{}, {}]", entry("a"), entry("a"))],
    );
}

#[test]
fn signing_needs_a_sealing_key() {
    let none = said("");
    assert_eq!(none.one_fault().0, "sealing.key_files");
    said("").set("limitless.enabled", "false").load().unwrap();
    edge("sealing.key_files", &["/a,/b"], &["credential:../a", "credential:", "credential:a/b"]);
}

#[test]
fn every_fault_is_shown_at_once() {
    let both = whole().set("login.queue", "9999").set("store.path", "");
    let keys: Vec<_> = both.faults().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["store.path", "login.queue"]);
}
