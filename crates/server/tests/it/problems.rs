//! Every problem can be looked up where it was met.

use crate::callers::Answer;
use crate::limits::raw;
use crate::server::Server;
use reqwest::Method;
use rescind_server::http::ProblemType;
use serde_json::{Value, json};

#[tokio::test]
async fn every_type_is_explained_to_anybody_on_both_listeners() {
    let server = Server::start().await;
    for listener in [&server.verify, &server.admin] {
        let list = get(&server, &format!("{listener}/v1/problems")).await.expect(200);
        assert_eq!(list.header("content-type"), "application/json");
        let items = list.json["items"].as_array().unwrap();
        assert_eq!(items.len(), ProblemType::ALL.len());
        for (item, kind) in items.iter().zip(ProblemType::ALL) {
            let expected = json!({
                "type": format!("urn:rescind:problem:{}", kind.name()),
                "name": kind.name(),
                "title": kind.title(),
                "status": kind.status().as_u16(),
                "meaning": kind.meaning(),
            });
            assert_eq!(*item, expected);
            let one = get(&server, &format!("{listener}/v1/problems/{}", kind.name())).await;
            assert_eq!(one.expect(200).json, expected);
        }
        for name in ["nothing", "Unauthorized", "urn:rescind:problem:unauthorized"] {
            let unknown = get(&server, &format!("{listener}/v1/problems/{name}")).await;
            assert_eq!(unknown.expect(404).json["type"], "urn:rescind:problem:not-found");
        }
    }
}

#[tokio::test]
async fn pages_take_no_other_method() {
    let server = Server::start().await;
    for listener in [&server.verify, &server.admin] {
        for path in ["/v1/problems", "/v1/problems/unauthorized", "/health"] {
            let answer = server.send(server.http.post(format!("{listener}{path}"))).await;
            let answer = answer.expect(405);
            assert_eq!(answer.header("allow"), "GET,HEAD", "{path}");
            assert_eq!(answer.json["type"], "urn:rescind:problem:method-not-allowed");
        }
    }
}

#[tokio::test]
async fn every_problem_links_to_the_page_that_explains_it() {
    let server = Server::start().await;
    let post = |url: String, body: Value| server.send(server.http.post(url).json(&body));
    let (verify, admin) = (&server.verify, &server.admin);
    let reader = server.operator("reader", &["read"]).await;
    let problems = [
        (verify, get(&server, &format!("{verify}/nowhere")).await, 404),
        (verify, get(&server, &format!("{verify}/v1/verify")).await, 405),
        (verify, get(&server, &format!("{verify}/v1/revoke")).await, 405),
        (verify, post(format!("{verify}/v1/verify"), json!({})).await, 400),
        (verify, post(format!("{verify}/v1/verify"), json!({ "x": 1 })).await, 400),
        (verify, server.send(server.http.post(format!("{verify}/v1/verify"))).await, 415),
        (admin, get(&server, &format!("{admin}/v1/status")).await, 401),
        (admin, server.admin_as(&reader, Method::GET, "/v1/audit", Value::Null).await, 403),
        (admin, server.admin(Method::GET, "/nowhere", Value::Null).await, 404),
        (admin, server.admin(Method::DELETE, "/v1/status", Value::Null).await, 405),
        (admin, server.admin(Method::GET, "/v1/tokens?limit=0", Value::Null).await, 400),
    ];
    for (listener, problem, status) in problems {
        let problem = problem.expect(status);
        assert_eq!(problem.header("content-type"), "application/problem+json");
        let link = problem.header("link");
        let path = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"help\""));
        let path = path.unwrap_or_else(|| panic!("{status}: {link:?}"));
        let page = get(&server, &format!("{listener}{path}")).await.expect(200);
        for member in ["type", "title", "status"] {
            assert_eq!(page.json[member], problem.json[member], "{path}");
        }
    }
}

#[tokio::test]
async fn request_whose_head_is_at_fault_is_told_where_to_look_too() {
    let server = Server::start().await;
    for listener in [&server.verify, &server.admin] {
        let answer = raw(listener, b"GET /health HTTP/1.1\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains("\r\nlink: </v1/problems/invalid-request>; rel=\"help\"\r\n"));
        let odd = b"GET /health HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n";
        let answer = raw(listener, odd).await;
        assert!(answer.contains("\r\nlink: </v1/problems/expectation>; rel=\"help\"\r\n"));
    }
}

#[tokio::test]
async fn only_problems_are_linked_and_clients_of_the_api_get_no_link() {
    let server = Server::start().await;
    let refused = server.with_key(Method::GET, "/v1/orders", "nonsense").await.expect(401);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let introspect = server.http.post(format!("{}/v1/introspect", server.verify));
    let form = "application/x-www-form-urlencoded";
    let introspect = introspect.header("content-type", form).body("token=x");
    for answer in [
        refused,
        server.send(introspect).await.expect(401),
        get(&server, &format!("{}/health", server.verify)).await.expect(200),
        get(&server, &format!("{}/v1/problems", server.verify)).await.expect(200),
    ] {
        assert_eq!(answer.header("link"), "", "{}", answer.json);
    }
}

async fn get(server: &Server, url: &str) -> Answer {
    server.send(server.http.get(url)).await
}
