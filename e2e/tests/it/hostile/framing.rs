//! Messages whose end is unclear. Whoever reads them differently from the proxy before or the
//! upstream behind lets one client speak in another's name, so they are refused and the
//! connection ends.

use super::{Afterwards, Case, Shape, World, raw};
use rescind_e2e::server::Home;
use rescind_e2e::wire::{PATIENCE, Request};

/// Were it taken for a request of its own, it would be answered.
const SMUGGLED: &[u8] = b"GET /v1/smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

pub(super) fn cases(world: &World) -> anyhow::Result<Vec<Case>> {
    let mut cases = lengths(world);
    cases.extend(codings(world));
    cases.extend(chunks(world));
    cases.extend(heads(world));
    cases.extend(expectations(world));
    cases.extend(not_http());
    Ok(cases)
}

fn lengths(world: &World) -> Vec<Case> {
    let key = format!("X-API-Key: {}", world.bearer.text);
    let case = |name: &str, headers: &[&str]| {
        let lines = [&["POST /v1/orders HTTP/1.1", "Host: h", &key][..], headers].concat();
        Case::public(name, Shape::Any, raw(&lines, SMUGGLED))
            .is(&[400, 413])
            .then(Afterwards::Closed)
    };
    vec![
        case("two different lengths", &["Content-Length: 0", "Content-Length: 5"]),
        case("two lengths joined", &["Content-Length: 0, 5"]),
        case("negative length", &["Content-Length: -1"]),
        case("length with a plus", &["Content-Length: +0"]),
        case("hexadecimal length", &["Content-Length: 0x0"]),
        case("empty length", &["Content-Length:"]),
        case("length of words", &["Content-Length: many"]),
        case("length with a fraction", &["Content-Length: 0.0"]),
        case("length beyond 64 bits", &["Content-Length: 18446744073709551616"]),
        case("length and chunked", &["Content-Length: 0", "Transfer-Encoding: chunked"]),
        case("chunked and length", &["Transfer-Encoding: chunked", "Content-Length: 0"]),
    ]
}

fn codings(world: &World) -> Vec<Case> {
    let key = format!("X-API-Key: {}", world.bearer.text);
    let body = [b"0\r\n\r\n", SMUGGLED].concat();
    let case = |name: &str, version: &str, coding: &str| {
        let line = format!("POST /v1/orders {version}");
        let bytes = raw(&[&line, "Host: h", &key, coding], &body);
        Case::public(name, Shape::Any, bytes).is(&[400, 501]).then(Afterwards::Closed)
    };
    let mut cases = vec![
        case("HTTP/1.0 and chunked", "HTTP/1.0", "Transfer-Encoding: chunked"),
        case("identity coding", "HTTP/1.1", "Transfer-Encoding: identity"),
        case("unknown coding", "HTTP/1.1", "Transfer-Encoding: rot13"),
        case("misspelt chunked", "HTTP/1.1", "Transfer-Encoding: xchunked"),
        case("chunked not last", "HTTP/1.1", "Transfer-Encoding: chunked, gzip"),
        case("chunked after gzip", "HTTP/1.1", "Transfer-Encoding: gzip, chunked"),
        case("chunked twice", "HTTP/1.1", "Transfer-Encoding: chunked, chunked"),
        case("empty coding", "HTTP/1.1", "Transfer-Encoding:"),
        case("quoted coding", "HTTP/1.1", "Transfer-Encoding: \"chunked\""),
        case(
            "two coding headers",
            "HTTP/1.1",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        ),
        case("blank before the colon", "HTTP/1.1", "Transfer-Encoding : chunked"),
        case("vertical tab", "HTTP/1.1", "Transfer-Encoding: \x0bchunked"),
    ];
    // Not only in front of an upstream: a contract would read the coded bytes as if they were JSON.
    let identity = format!("identity: Bearer {}", world.identity);
    for coding in ["gzip, chunked", "chunked, chunked", "gzip\r\nTransfer-Encoding: chunked"] {
        let coding = format!("Transfer-Encoding: {coding}");
        let line = "POST /auth/api-tokens/derive HTTP/1.1";
        let bytes = raw(&[line, "Host: h", &identity, &coding], &body);
        let case = Case::public(format!("derive, {coding:?}"), Shape::Any, bytes);
        cases.push(case.is(&[400, 501]).then(Afterwards::Closed));
    }
    cases
}

/// To an endpoint that reads its body before it answers.
fn chunks(world: &World) -> Vec<Case> {
    let identity = format!("identity: Bearer {}", world.identity);
    let lines = [
        "POST /auth/api-tokens/derive HTTP/1.1",
        "Host: h",
        &identity,
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    ];
    let case = |name: &str, body: &[u8]| {
        Case::public(name, Shape::Any, raw(&lines, body)).is(&[400, 413]).then(Afterwards::Closed)
    };
    let endless = "a".repeat(100_000);
    vec![
        case("chunk size of words", b"zz\r\n{}\r\n0\r\n\r\n"),
        case("negative chunk size", b"-2\r\n{}\r\n0\r\n\r\n"),
        case("no chunk size", b"\r\n{}\r\n0\r\n\r\n"),
        case("prefixed chunk size", b"0x2\r\n{}\r\n0\r\n\r\n"),
        case("chunk size beyond 64 bits", b"FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"),
        case("chunk longer than it said", b"2\r\n{}{}{}\r\n0\r\n\r\n"),
        case("chunk ended by LF", b"2\r\n{}\n0\r\n\r\n"),
        case("endless extension", format!("2;{endless}").as_bytes()),
        case("endless trailer", format!("0\r\nx: {endless}\r\n\r\n").as_bytes()),
    ]
}

fn heads(world: &World) -> Vec<Case> {
    let key = format!("X-API-Key: {}", world.bearer.text);
    let many: Vec<String> = (0..500).map(|n| format!("x-{n}: y")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = format!("x: {}", "y".repeat(300_000));
    let case = |name: &str, headers: &[&str]| {
        let lines = [&["GET /v1/products HTTP/1.1", "Host: h", &key][..], headers].concat();
        Case::public(name, Shape::Any, raw(&lines, b"")).is(&[400, 431])
    };
    let mut cases = vec![
        case("500 headers", &many),
        case("300 KB of header", &[&long]),
        case("header without a colon", &["nonsense"]),
        case("header without a name", &[": x"]),
        case("blank in a name", &["x y: z"]),
        case("name not ASCII", &["ünï: z"]),
        case("folded line", &["x: y", " folded"]),
        case("NUL in a value", &["x: a\0b"]),
    ];
    // RFC 9112 §3.2: exactly one Host, for whoever is asked.
    let identity = format!("identity: Bearer {}", world.identity);
    for (line, credential) in
        [("GET /v1/products HTTP/1.1", &key), ("POST /auth/api-tokens/derive HTTP/1.1", &identity)]
    {
        for hosts in [&[][..], &["Host: a", "Host: b"]] {
            let lines = [&[line, credential.as_str(), "Content-Length: 0"], hosts].concat();
            let name = format!("{line}: hosts {hosts:?}");
            cases.push(Case::public(name, Shape::Any, raw(&lines, b"")).is(&[400]));
        }
    }
    cases
}

/// A client that asks first must not be left waiting for an answer to a body that nobody wants.
fn expectations(world: &World) -> Vec<Case> {
    let identity = format!("identity: Bearer {}", world.identity);
    let key = format!("X-API-Key: {}", world.bearer.text);
    let case = |name: &str, lines: &[&str], statuses: &'static [u16], shape: Shape| {
        Case::public(name, shape, raw(lines, b"")).is(statuses)
    };
    let length = "Content-Length: 10";
    let asks = "Expect: 100-continue";
    vec![
        case(
            "unwanted body, no credential",
            &["POST /v1/orders HTTP/1.1", "Host: h", length, asks],
            &[401],
            Shape::Problem,
        ),
        case(
            "unwanted body, bad credential",
            &["POST /v1/orders HTTP/1.1", "Host: h", "X-API-Key: no", length, asks],
            &[401],
            Shape::Problem,
        ),
        case(
            "unwanted body, derive",
            &["POST /auth/api-tokens/derive HTTP/1.1", "Host: h", length, asks],
            &[401],
            Shape::Limitless,
        ),
        case(
            "far too long a body",
            &[
                "POST /auth/token HTTP/1.1",
                "Host: h",
                "Content-Type: application/json",
                "Content-Length: 99999999",
                asks,
            ],
            &[413],
            Shape::Wizcommerce,
        ),
        case(
            "unknown expectation, gateway",
            &["GET /v1/products HTTP/1.1", "Host: h", &key, "Expect: a-miracle"],
            &[417],
            Shape::Problem,
        ),
        case(
            "unknown expectation, login",
            &["POST /auth/token HTTP/1.1", "Host: h", "Content-Length: 0", "Expect: 200-ok"],
            &[417],
            Shape::Wizcommerce,
        ),
        case(
            "unknown expectation, derive",
            &["POST /auth/api-tokens/derive HTTP/1.1", "Host: h", &identity, "Expect: 200-ok"],
            &[417],
            Shape::Limitless,
        ),
    ]
}

fn not_http() -> Vec<Case> {
    let hello_of_tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh\r\n\r\n".to_vec();
    let bytes: [(&str, Vec<u8>); 8] = [
        ("TLS", hello_of_tls),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("HTTP/0.9", b"GET /v1/products\r\n\r\n".to_vec()),
        ("HTTP/3.7", b"GET /v1/products HTTP/3.7\r\nHost: h\r\n\r\n".to_vec()),
        ("no version", b"GET /v1/products HTTP/\r\nHost: h\r\n\r\n".to_vec()),
        ("answer for a request", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()),
        ("all bytes", (0..=255).chain(*b"\r\n\r\n").collect()),
        ("another protocol", b"EHLO mail.example\r\n\r\n".to_vec()),
    ];
    let case = |(name, bytes)| {
        Case::public(name, Shape::Any, bytes)
            .is(&[400, 426, 431])
            .then(Afterwards::ClosedPerhapsAtOnce)
    };
    bytes.into_iter().map(case).collect()
}

/// The other half of the promise: a wanted body is asked for.
#[tokio::test]
async fn wanted_body_is_asked_for_with_100_continue() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start_raw().await?;
    let world = World::new(&server).await?;
    let calls = [
        world.bearer.show(Request::post("/v1/orders").json_text(r#"{"n":1}"#)),
        world.signer.sign(Request::post("/v1/orders").json_text(r#"{"n":1}"#))?,
    ];
    for call in calls {
        let call = call.header("Expect", "100-continue");
        let mut connection = server.connect().await?;
        connection.send(call.head().as_bytes()).await?;
        assert_eq!(connection.next_answer(PATIENCE).await?.status, 100);
        connection.send(&call.body).await?;
        let echo = connection.next_answer(PATIENCE).await?.expect_status(200)?.json()?;
        assert_eq!(echo["body_bytes"], call.body.len());
    }
    Ok(())
}
