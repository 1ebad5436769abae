//! Methods and targets that somebody could read in two ways, with a good credential.

use super::{Case, Listener, Shape, World};
use rescind_e2e::wire::Request;

/// Refused, one way or the other.
const REFUSED: &[u16] = &[400, 401, 403, 404, 405, 413, 414, 431];
/// A spelling that is unusual but has only one meaning may also be served.
const SERVED_OR_REFUSED: &[u16] = &[200, 400, 401, 403, 404, 405];

/// Behind the gateway each of these means one thing to us and perhaps another to the upstream.
const AMBIGUOUS: &[&str] = &[
    "//v1/products",
    "/v1//products",
    "/v1/products//",
    "/v1/./products",
    "/v1/../products",
    "/v1/products/..",
    "/v1/products/.",
    "/..",
    "/v1/%2e/products",
    "/v1/%2e%2e/products",
    "/v1/.%2E/products",
    "/v1/%2fproducts",
    "/v1%2Fproducts",
    "/v1\\products",
    "/v1/%5cproducts",
    "/v1/products;x=1",
    "/v1/%3bproducts",
    "/v1/%00products",
    "/v1/products%0d%0aX: y",
    "/v1/%0aproducts",
    "/v1/%7f",
    "/v1/%25",
    "/v1/%252e%252e/products",
    "/v1/%",
    "/v1/%2",
    "/v1/%zz",
    "/v1/%ff",
    "/v1/%c0%af",
    "v1/products",
    "?v1",
];

const CONTRACT_SPELLINGS: &[&str] = &[
    "/auth/token/",
    "/auth//token",
    "//auth/token",
    "/auth/./token",
    "/auth/x/../token",
    "/auth/%74oken",
    "/AUTH/TOKEN",
    "/auth/token%20",
    "/auth/token%00",
    "/auth/token;x",
    "/auth",
    "/auth/",
    "/auth/api-tokens/",
    "/auth/api-tokens/..",
    "/auth/api-tokens/%2e%2e",
    "/auth/api-tokens//x",
    "/auth/api-tokens/%2F",
    "/auth/api-tokens/tok%2Fwith%20spaces",
    "/auth/api-tokens/%FF",
    "/auth/api-tokens/%",
    "/auth/api-tokens/a/b",
    "/auth/api-tokens/%00",
];

pub(super) fn cases(world: &World) -> anyhow::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for target in AMBIGUOUS {
        let request = world.bearer.show(Request::get(target));
        cases.push(Case::public(*target, Shape::Any, request.bytes()).is(REFUSED));
        let signed = world.signer.sign(Request::get(target))?;
        cases
            .push(Case::public(format!("signed {target}"), Shape::Any, signed.bytes()).is(REFUSED));
    }
    for target in CONTRACT_SPELLINGS {
        for method in ["DELETE", "POST"] {
            // Signed, so that a spelling that is let through changes nothing of the bearer token.
            let signed = world.signer.sign(Request::new(method, target))?;
            let name = format!("{method} {target}");
            cases.push(Case::public(name, Shape::Any, signed.bytes()).is(SERVED_OR_REFUSED));
        }
    }
    cases.extend(long_targets(world)?);
    cases.extend(methods(world));
    cases.extend(forms(world));
    Ok(cases)
}

fn long_targets(world: &World) -> anyhow::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (name, target) in [
        ("path of 9 KB", format!("/v1/{}", "a".repeat(9_000))),
        ("query of 9 KB", format!("/v1/products?{}", "a".repeat(9_000))),
        ("path of 70 KB", format!("/v1/{}", "a".repeat(70_000))),
        ("5 000 segments", format!("/v1{}", "/a".repeat(5_000))),
    ] {
        let request = world.bearer.show(Request::get(&target));
        cases.push(Case::public(name, Shape::Any, request.bytes()).is(REFUSED));
    }
    for length in [65, 1_000] {
        let id = "a".repeat(length);
        let request = world.signer.revocation_of(&id)?;
        let name = format!("token id of {length}");
        cases.push(Case::public(name, Shape::Limitless, request.bytes()).is(&[400]));
    }
    Ok(cases)
}

fn methods(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for (target, listener) in [
        ("/auth/token", Listener::Public),
        ("/auth/api-tokens", Listener::Public),
        ("/auth/api-tokens/derive", Listener::Public),
        ("/auth/api-tokens/capabilities", Listener::Public),
        ("/auth/api-keys", Listener::Public),
        ("/v1/verify", Listener::Verify),
        ("/health", Listener::Verify),
        ("/v1/users", Listener::Admin),
        ("/v1/tokens", Listener::Admin),
    ] {
        for method in
            ["PUT", "PATCH", "OPTIONS", "TRACE", "HEAD", "FOO", "get", "delete", "M-SEARCH"]
        {
            let name = format!("{method} {target}");
            let case = Case::public(name, Shape::Any, Request::new(method, target).bytes());
            cases.push(case.on(listener).is(SERVED_OR_REFUSED));
        }
    }
    for method in ["TRACE", "CONNECT", "get", "G\u{e9}T", "", "GET\t", &"A".repeat(3_000)] {
        let request = world.bearer.show(Request::new(method, "/v1/products"));
        let name = format!("method {:?}", method.chars().take(9).collect::<String>());
        cases.push(Case::public(name, Shape::Any, request.bytes()).is(SERVED_OR_REFUSED));
    }
    cases
}

/// The other request-target forms of RFC 9112 §3.2.
fn forms(world: &World) -> Vec<Case> {
    let targets = [
        ("GET", "http://elsewhere.example/v1/products"),
        ("GET", "http://elsewhere.example"),
        ("GET", "https://user:pw@elsewhere.example/v1/products"),
        ("GET", "ftp://elsewhere.example/v1/products"),
        ("OPTIONS", "*"),
        ("GET", "*"),
        ("CONNECT", "elsewhere.example:443"),
        ("GET", "elsewhere.example:443"),
        ("DELETE", "http://elsewhere.example/auth//token"),
        // Cut off before anything is decided, so that the upstream gets what was verified.
        ("GET", "/v1/products#fragment"),
        ("GET", "/v1/日本"),
        ("GET", "/v1/products?q=日本"),
        ("GET", "/v1/pro ducts"),
        ("GET", "/v1/products?a=<b>\"c\""),
    ];
    let case = |(method, target): (&str, &str)| {
        let request = world.bearer.show(Request::new(method, target));
        Case::public(format!("{method} {target}"), Shape::Any, request.bytes())
            .is(SERVED_OR_REFUSED)
    };
    targets.into_iter().map(case).collect()
}
