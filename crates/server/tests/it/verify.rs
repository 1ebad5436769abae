//! `POST /v1/verify`: tokens and whole requests, one and many.

use crate::callers::{Answer, Signer};
use crate::server::Server;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderName;
use http_body_util::BodyExt;
use reqwest::Method;
use rescind_core::signature::{Content, SignedRequest};
use rescind_core::{Digest, NetworkSet, TenantId};
use rescind_guard::Clock;
use rescind_guard::credentials::CredentialHeaders;
use rescind_server::access::Gatekeeper;
use rescind_server::verify::{self, QUESTIONS_MAX, VERIFY_BYTES_MAX, VerifyRequest};
use rescind_store::Follower;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

async fn ask(server: &Server, question: &Value) -> Answer {
    server.send(server.http.post(format!("{}/v1/verify", server.verify)).json(question)).await
}

async fn reason(server: &Server, question: &Value) -> String {
    let answer = ask(server, question).await.expect(200);
    assert_eq!(answer.json["valid"], false, "{question}: {}", answer.json);
    assert_eq!(answer.json.as_object().unwrap().len(), 2);
    answer.text("reason")
}

const BODY: &str = r#"{"side":"buy"}"#;
const TARGET: &str = "/orders?market=a%20b";

/// A request that `signer` has signed over `body`, as a service would tell of it.
fn signed(server: &Server, signer: &Signer, body: &str) -> Value {
    let timestamp = server.clock.now().to_rfc3339_millis();
    let signature = signer.sign(&timestamp, &Method::POST, TARGET, body);
    json!({ "request": {
        "method": "POST",
        "target": TARGET,
        "headers": {
            "lmts-api-key": signer.id, "Lmts-Timestamp": timestamp, "lmts-signature": [signature],
        },
        "body": STANDARD.encode(body),
    } })
}

#[tokio::test]
async fn signed_request_is_verified_as_a_service_received_it() {
    let server = Server::start().await;
    let signer = server.derive("did:x:1").await;
    let question = signed(&server, &signer, BODY);
    let answer = ask(&server, &question).await.expect(200);
    let expected = json!({
        "valid": true, "token_id": signer.id, "owner_id": answer.json["owner_id"],
        "kind": "signing", "scopes": ["trading"], "expires_at": null, "body": "verified",
    });
    assert_eq!(answer.json, expected);
    let changes = [
        ("method", json!("PUT")),
        ("target", json!("/orders?market=a+b")),
        ("target", json!("/orders")),
        ("body", json!(STANDARD.encode(r#"{"side":"sell"}"#))),
        ("body", json!("")),
        ("body", json!(null)),
    ];
    for (part, value) in changes {
        let mut other = question.clone();
        other["request"][part] = value;
        assert_eq!(reason(&server, &other).await, "bad_signature", "{other}");
    }
    server.clock.advance(Duration::from_secs(31));
    assert_eq!(reason(&server, &question).await, "outside_window");
}

#[tokio::test]
async fn body_that_was_not_told_of_is_called_empty_and_never_verified() {
    let server = Server::start().await;
    let signer = server.derive("did:x:1").await;
    let mut question = signed(&server, &signer, "");
    assert_eq!(ask(&server, &question).await.expect(200).json["body"], "verified");
    question["request"].as_object_mut().unwrap().remove("body");
    assert_eq!(ask(&server, &question).await.expect(200).json["body"], "empty");
}

#[tokio::test]
async fn digest_in_place_of_the_body_is_compared_if_the_body_is_there() {
    let server = Server::start().await;
    let signer = server.derive("did:x:1").await;
    let digest = STANDARD.encode(Digest::of(BODY.as_bytes()).as_bytes());
    let digest = format!("sha-256=:{digest}:");
    let mut question = signed(&server, &signer, BODY);
    let request = SignedRequest { method: "POST", target: TARGET, content: Content::Unseen };
    let timestamp = question["request"]["headers"]["Lmts-Timestamp"].as_str().unwrap().to_owned();
    let headers = &mut question["request"]["headers"];
    headers["lmts-signature"] = json!(signer.key().sign_digest(&timestamp, &request, &digest));
    headers["lmts-covers"] = json!("content-digest");
    headers["content-digest"] = json!(digest);
    assert_eq!(ask(&server, &question).await.expect(200).json["body"], "verified");
    question["request"]["body"] = json!(STANDARD.encode("other"));
    assert_eq!(reason(&server, &question).await, "bad_signature");
    question["request"].as_object_mut().unwrap().remove("body");
    assert_eq!(ask(&server, &question).await.expect(200).json["body"], "digest");
}

#[tokio::test]
async fn bearer_token_is_found_in_the_headers_of_a_request() {
    let server = Server::start().await;
    let token = server.user_token().await;
    let bearer = format!("Bearer {token}");
    let one = |headers: Value| json!({ "request": { "method": "GET", "target": "/", "headers": headers } });
    for headers in [
        json!({ "X-API-Key": token }),
        json!({ "x-api-key": [token] }),
        json!({ "Authorization": bearer, "accept": "*/*" }),
    ] {
        let answer = ask(&server, &one(headers)).await.expect(200);
        assert_eq!(answer.json["valid"], true, "{}", answer.json);
        assert_eq!(answer.json["body"], "unsigned");
    }
    for (headers, why) in [
        (json!({}), "no_credential"),
        (json!({ "accept": "*/*" }), "no_credential"),
        (json!({ "X-API-Key": token, "authorization": bearer }), "several_credentials"),
        (json!({ "X-API-Key": [token, token] }), "several_credentials"),
        (json!({ "X-API-Key": token, "x-api-key": token }), "several_credentials"),
        (json!({ "X-API-Key": format!("{token},{token}") }), "several_credentials"),
        (json!({ "X-API-Key": "" }), "malformed"),
        (json!({ "authorization": "Basic eDp5" }), "malformed"),
        (json!({ "lmts-api-key": "x" }), "malformed"),
        (json!({ "X-API-Key": "somebody-elses" }), "unknown"),
    ] {
        assert_eq!(reason(&server, &one(headers.clone())).await, why, "{headers}");
    }
    let mut question = one(json!({ "X-API-Key": token }));
    question["scopes"] = json!(["trading"]);
    assert_eq!(reason(&server, &question).await, "missing_scope");
}

/// serde's maps keep the last of them, and drop the credential that the next program will read.
#[tokio::test]
async fn header_that_stands_twice_in_the_json_is_two_headers() {
    let server = Server::start().await;
    let token = server.user_token().await;
    let headers = format!(r#"{{"x-api-key":"other","x-api-key":"{token}"}}"#);
    let body = format!(r#"{{"request":{{"method":"GET","target":"/","headers":{headers}}}}}"#);
    let request = server.http.post(format!("{}/v1/verify", server.verify));
    let answer = server.send(request.header("content-type", "application/json").body(body)).await;
    assert_eq!(answer.expect(200).json["reason"], "several_credentials");
}

#[tokio::test]
async fn request_that_the_gateway_would_refuse_unread_is_not_valid() {
    let server = Server::start().await;
    let signer = server.derive("did:x:1").await;
    let good = signed(&server, &signer, BODY);
    for target in ["//orders", "/a/../orders", "/a%2Fb", "orders", "http://h/orders", "*", ""] {
        let mut question = good.clone();
        question["request"]["target"] = json!(target);
        assert_eq!(reason(&server, &question).await, "bad_target", "{target}");
    }
    let mut coded = good.clone();
    coded["request"]["headers"]["content-encoding"] = json!("gzip");
    assert_eq!(reason(&server, &coded).await, "content_coding");
}

#[tokio::test]
async fn token_that_is_bound_to_networks_is_valid_only_from_there() {
    let server = Server::start().await;
    let networks = NetworkSet::parse(["192.0.2.0/24"]).unwrap();
    let token = server.token_within(networks).await;
    let from = |address: Value| json!({ "token": token, "client_address": address });
    for inside in ["192.0.2.7", "::ffff:192.0.2.7"] {
        assert_eq!(ask(&server, &from(json!(inside))).await.expect(200).json["valid"], true);
    }
    for outside in [json!("192.0.3.7"), json!("2001:db8::1"), json!(null)] {
        assert_eq!(reason(&server, &from(outside)).await, "wrong_network");
    }
}

#[tokio::test]
async fn many_questions_are_answered_one_by_one_and_in_order() {
    let server = Server::start().await;
    let (token, signer) = (server.user_token().await, server.derive("did:x:1").await);
    let items = json!({ "items": [
        { "token": token },
        { "token": "somebody-elses" },
        signed(&server, &signer, BODY),
        { "token": token, "scopes": ["trading"] },
        { "token": "a b" },
    ] });
    let answer = ask(&server, &items).await.expect(200);
    let results = answer.json["results"].as_array().unwrap();
    let told: Vec<_> = results
        .iter()
        .map(|one| if one["valid"] == true { &one["kind"] } else { &one["reason"] })
        .collect();
    assert_eq!(told, ["bearer", "unknown", "signing", "missing_scope", "malformed"]);
    let mut alone = answer.json["results"][0].clone();
    assert_eq!(ask(&server, &json!({ "token": token })).await.expect(200).json, alone.take());
}

/// They are written by hand. A question whose text is escaped is the same question.
#[tokio::test]
async fn bytes_of_an_answer_are_those_of_a_serializer() {
    let server = Server::start().await;
    let signer = server.derive("did:x:1").await;
    let question = signed(&server, &signer, BODY);
    let partner = ask(&server, &question).await.expect(200).text("owner_id");
    let owner = server.user_in("tenant_1", "ada@example.com").await;
    let wishes = json!({ "scopes": ["write", "read"], "expires_in_seconds": 60 });
    let made = server.token_of(&owner, wishes).await;
    let (id, escaped) = (made.text("id"), made.text("token").replace('_', "\\u005f"));
    let body = format!(r#"{{"items":[{question},{{"token":"{escaped}"}},{{"token":"x"}}]}}"#);
    let asked = server.http.post(format!("{}/v1/verify", server.verify)).body(body);
    let answer = asked.header("content-type", "application/json").send().await.unwrap();
    let valid = |id: &str, owner: &str, rest: &str| {
        format!(r#"{{"valid":true,"token_id":"{id}","owner_id":"{owner}",{rest}}}"#)
    };
    let results = [
        valid(
            &signer.id,
            &partner,
            r#""kind":"signing","scopes":["trading"],"expires_at":null,"body":"verified""#,
        ),
        valid(
            &id,
            &owner,
            r#""kind":"bearer","scopes":["read","write"],"expires_at":"2026-03-23T12:01:00.000Z","body":"unsigned""#,
        ),
        r#"{"valid":false,"reason":"unknown"}"#.into(),
    ];
    assert_eq!(answer.text().await.unwrap(), format!(r#"{{"results":[{}]}}"#, results.join(",")));
}

#[tokio::test]
async fn so_many_questions_are_taken_and_one_more_is_not() {
    let server = Server::start().await;
    let items = |count: usize| json!({ "items": vec![json!({ "token": "x" }); count] });
    let most = ask(&server, &items(QUESTIONS_MAX)).await.expect(200);
    assert_eq!(most.json["results"].as_array().unwrap().len(), QUESTIONS_MAX);
    let more = ask(&server, &items(QUESTIONS_MAX + 1)).await.expect(400);
    assert!(more.text("detail").contains("at most 100"), "{}", more.json);
    ask(&server, &items(0)).await.expect(400);
}

#[tokio::test]
async fn question_that_cannot_be_read_is_a_fault_that_is_named_without_repeating_it() {
    let server = Server::start().await;
    let request = |over: Value| {
        let mut request = json!({ "method": "GET", "target": "/", "headers": {} });
        request.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        json!({ "request": request })
    };
    let many: Vec<_> = (0..65).map(|_| "hunter2").collect();
    let cases = [
        (json!({}), "token or request"),
        (
            json!({ "token": "hunter2", "request": request(json!({}))["request"] }),
            "token or request",
        ),
        (json!({ "token": "hunter2", "scopes": ["hunter2 x"] }), "scopes"),
        (json!({ "token": "hunter2", "client_address": "hunter2" }), "client_address"),
        (json!({ "token": "hunter2", "client_address": "192.0.2.7:80" }), "client_address"),
        (json!({ "token": "hunter2", "hunter2": 1 }), "expected"),
        (json!({ "token": "hunter2", "items": [{ "token": "hunter2" }] }), "items"),
        (json!({ "scopes": ["hunter2"], "items": [{ "token": "hunter2" }] }), "items"),
        (
            json!({ "items": [{ "token": "x" }, { "token": "x", "scopes": ["hunter2 x"] }] }),
            "items[1]",
        ),
        (json!({ "items": { "token": "hunter2" } }), "an array of at most 100"),
        (request(json!({ "method": "hunter2 x" })), "request.method"),
        (request(json!({ "method": "" })), "request.method"),
        (request(json!({ "body": "hunter2" })), "request.body"),
        (request(json!({ "body": "aHVudGVyMg" })), "request.body"),
        (request(json!({ "headers": { "hunter2 x": "y" } })), "names of headers"),
        (request(json!({ "headers": { "x": "hunter2\nx" } })), "values of headers"),
        (request(json!({ "headers": { "x": many } })), "at most 64"),
        (request(json!({ "headers": { "x": 7 } })), "a string or an array"),
        (request(json!({ "headers": ["hunter2"] })), "at most 64 headers"),
        (request(json!({ "host": "hunter2" })), "expected"),
    ];
    for (question, named) in cases {
        let answer = ask(&server, &question).await.expect(400);
        let detail = answer.text("detail");
        assert!(detail.contains(named) && !detail.contains("hunter2"), "{question}: {detail}");
    }
}

#[tokio::test]
async fn request_has_at_most_so_many_headers_however_they_are_told() {
    let server = Server::start().await;
    let question = |count: usize| {
        let headers: serde_json::Map<_, _> =
            (0..count).map(|n| (format!("x-{n}"), json!("y"))).collect();
        json!({ "request": { "method": "GET", "target": "/", "headers": headers } })
    };
    assert_eq!(reason(&server, &question(64)).await, "no_credential");
    ask(&server, &question(65)).await.expect(400);
}

#[tokio::test]
async fn sealed_node_says_neither_yes_nor_no() {
    let server = Server::start().await;
    let token = server.user_token().await;
    let questions = [json!({ "token": token }), json!({ "items": [{ "token": "x" }] })];
    server.services.guard.seal();
    for question in questions {
        let answer = ask(&server, &question).await.expect(503);
        assert_eq!(answer.json["type"], "urn:rescind:problem:unavailable");
        assert_eq!(answer.header("retry-after"), "2");
    }
    let health = server.send(server.http.get(format!("{}/health", server.verify))).await;
    assert_eq!(health.expect(503).json, json!({ "status": "sealed" }));
}

/// What each probe says on both listeners: status and word.
async fn probed(server: &Server) -> Vec<(u16, String)> {
    let mut said = Vec::new();
    for listener in [&server.verify, &server.admin] {
        for path in ["/health", "/readyz", "/livez"] {
            let answer = server.send(server.http.get(format!("{listener}{path}"))).await;
            assert_eq!(answer.header("cache-control"), "no-store");
            said.push((answer.status.as_u16(), answer.json["status"].as_str().unwrap().into()));
        }
    }
    let admins = said.split_off(3);
    assert_eq!(said, admins, "both listeners say the same");
    said
}

fn says(health: (u16, &str), ready: (u16, &str)) -> Vec<(u16, String)> {
    [health, ready, (200, "ok")].map(|(status, word)| (status, word.into())).into()
}

#[tokio::test]
async fn node_is_ready_while_it_can_verify_and_was_not_told_to_stop_and_live_all_the_while() {
    let server = Server::start().await;
    assert_eq!(probed(&server).await, says((200, "ok"), (200, "ok")));
    server.services.guard.close();
    assert_eq!(probed(&server).await, says((503, "sealed"), (503, "sealed")));
    server.services.guard.open_for_good();
    assert_eq!(probed(&server).await, says((200, "ok"), (200, "ok")));
    server.stopping.send_replace(true);
    assert_eq!(probed(&server).await, says((200, "ok"), (503, "draining")));
    let token = server.user_token().await;
    let answer = ask(&server, &json!({ "token": token })).await.expect(200);
    assert_eq!(answer.json["valid"], true, "what comes all the same is served");
    for path in ["/readyz", "/livez"] {
        let answer = server.send(server.http.post(format!("{}{path}", server.verify))).await;
        assert_eq!(answer.expect(405).json["type"], "urn:rescind:problem:method-not-allowed");
    }
}

/// Announced bodies that never come take their room until they are given up.
#[tokio::test]
async fn questions_that_would_take_too_much_together_wait_for_others_to_end() {
    use tokio::io::AsyncWriteExt;
    let server = Server::start().await;
    let address = server.verify.trim_start_matches("http://").to_owned();
    let head = format!(
        "POST /v1/verify HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        VERIFY_BYTES_MAX
    );
    let mut waiting = Vec::new();
    for _ in 0..64 {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        waiting.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    ask(&server, &json!({ "token": "x" })).await.expect(503);
    // The listener of these tests gives a body one second.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    ask(&server, &json!({ "token": "x" })).await.expect(200);
}

#[tokio::test]
async fn scopes_that_the_owner_has_lost_are_not_told() {
    let server = Server::start().await;
    let signer = server.derive("did:x:1").await;
    let question = signed(&server, &signer, BODY);
    let answer = ask(&server, &question).await.expect(200);
    let owner = answer.text("owner_id");
    let narrowed = json!({ "allowed_scopes": [] });
    let path = format!("/v1/partners/{owner}");
    server.admin(Method::PATCH, &path, narrowed).await.expect(200);
    assert_eq!(ask(&server, &question).await.expect(200).json["scopes"], json!([]));
}

/// As the admin API asks for an operator of one tenant.
#[tokio::test]
async fn asker_of_one_tenant_learns_nothing_of_another_tenants_token() {
    let server = Server::start().await;
    let token = server.user_token().await;
    let verifier = Arc::clone(&server.services.verifier);
    let api_key = HeaderName::from_static("x-api-key");
    let credentials = CredentialHeaders { api_key, signing: None };
    let gatekeeper = Gatekeeper::new(verifier, credentials, 0);
    let told = async |tenant: &str, question: Value| {
        let question = VerifyRequest::deserialize(&question).unwrap();
        let tenant = TenantId::parse(tenant).unwrap();
        let verifier = &server.services.verifier;
        let answer = verify::answer(verifier, &gatekeeper, question, Some(&tenant)).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    let valid = json!({ "token": token });
    let lacking = json!({ "token": token, "scopes": ["trading"] });
    let mut told_of =
        json!({ "scopes": ["trading"], "request": { "method": "GET", "target": "/" } });
    told_of["request"]["headers"] = json!({ "x-api-key": token });
    assert_eq!(told("tenant_2", told_of).await["reason"], "unknown");
    let mut mistyped = token.clone();
    mistyped.pop();
    assert_eq!(told("tenant_1", valid.clone()).await["valid"], true);
    assert_eq!(told("tenant_2", valid.clone()).await["reason"], "unknown");
    assert_eq!(told("tenant_2", lacking.clone()).await["reason"], "unknown");
    assert_eq!(told("tenant_1", lacking).await["reason"], "unknown");
    assert_eq!(told("tenant_2", json!({ "token": mistyped })).await["reason"], "mistyped");
    server.clock.advance(Duration::from_hours(366 * 24));
    assert_eq!(told("tenant_2", valid).await["reason"], "unknown");
}
