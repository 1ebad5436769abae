//! Credentials that are missing, doubled, bent, or of the wrong kind.

use super::{Case, Listener, Shape, World, raw};
use jiff::SignedDuration;
use rescind_e2e::clock::{timestamp_text, timestamp_text_shifted};
use rescind_e2e::wire::Request;

pub(super) fn cases(world: &World) -> anyhow::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (request_line, shape) in [
        ("GET /v1/products HTTP/1.1", Shape::Problem),
        ("DELETE /auth/token HTTP/1.1", Shape::Wizcommerce),
    ] {
        cases.extend(bearer_cases(world, request_line, shape));
    }
    for (method, target, shape) in
        [("GET", "/v1/products?n=1", Shape::Problem), ("GET", "/auth/api-tokens", Shape::Limitless)]
    {
        cases.extend(signing_cases(world, method, target, shape)?);
        cases.extend(signature_spellings(world, method, target, shape)?);
        cases.extend(timestamps(world, method, target, shape)?);
    }
    cases.extend(identity_cases(world));
    cases.extend(admin_cases(world));
    Ok(cases)
}

fn bearer_cases(world: &World, request_line: &str, shape: Shape) -> Vec<Case> {
    let token = &world.bearer.text;
    let long = |length| format!("X-API-Key: {}", "a".repeat(length));
    let key = format!("X-API-Key: {token}");
    let authorization = format!("Authorization: Bearer {token}");
    let mut headers: Vec<(&str, Vec<String>)> = vec![
        ("no credential", vec![]),
        ("empty key", vec!["X-API-Key:".into()]),
        ("blank key", vec!["X-API-Key:    ".into()]),
        ("unknown key", vec!["X-API-Key: api_prod_unknown".into()]),
        ("same key twice", vec![key.clone(), key.clone()]),
        ("two different keys", vec![key.clone(), "X-API-Key: other".into()]),
        ("good key after an empty one", vec!["X-API-Key:".into(), key.clone()]),
        ("joined keys", vec![format!("X-API-Key: {token}, {token}")]),
        ("key with a comma", vec![format!("X-API-Key: {token},")]),
        ("key with a scheme", vec![format!("X-API-Key: Bearer {token}")]),
        ("key with a space", vec![format!("X-API-Key: {} {token}", "a")]),
        ("key with a tab", vec![format!("X-API-Key: a\t{token}")]),
        ("key in quotes", vec![format!("X-API-Key: \"{token}\"")]),
        ("key one byte too long", vec![long(513)]),
        ("key of 8 KiB", vec![long(8 * 1024)]),
        ("key with an umlaut", vec![format!("X-API-Key: {token}ü")]),
        ("good key cut short", vec![format!("X-API-Key: {}", token.split_at(20).0)]),
        ("good key in lower case", vec![format!("X-API-Key: {}", token.to_ascii_lowercase())]),
        ("key and Authorization", vec![key.clone(), authorization.clone()]),
        ("key and Basic", vec![key.clone(), "Authorization: Basic YTpi".into()]),
        ("key and signing headers", vec![key.clone(), "lmts-api-key: x".into()]),
        ("admin token", vec![format!("X-API-Key: {}", world.admin_token)]),
        ("signing token's id as key", vec![format!("X-API-Key: {}", world.signer.token_id)]),
        ("signing secret as key", vec![format!("X-API-Key: {}", world.signer.secret)]),
    ];
    if matches!(shape, Shape::Problem) {
        headers.extend([
            ("Basic", vec!["Authorization: Basic YTpi".into()]),
            ("Bearer without a token", vec!["Authorization: Bearer".into()]),
            ("Bearer and blanks", vec!["Authorization: Bearer    ".into()]),
            ("token without a scheme", vec![format!("Authorization: {token}")]),
            ("two tokens", vec![format!("Authorization: Bearer {token} {token}")]),
            ("comma for a space", vec![format!("Authorization: Bearer,{token}")]),
            ("Authorization twice", vec![authorization.clone(), authorization.clone()]),
        ]);
    }
    let case = |(name, headers): (&str, Vec<String>)| {
        let mut lines = vec![request_line, "Host: h"];
        lines.extend(headers.iter().map(String::as_str));
        Case::public(format!("{request_line}: {name}"), shape, raw(&lines, b""))
    };
    let mut cases: Vec<_> = headers.into_iter().map(case).collect();
    cases.extend(unreadable(request_line, shape));
    cases
}

/// Bytes that are no text, or that HTTP does not allow in a header at all.
fn unreadable(request_line: &str, shape: Shape) -> Vec<Case> {
    let head = |value: &[u8]| {
        [request_line.as_bytes(), b"\r\nHost: h\r\nX-API-Key: ", value, b"\r\n\r\n"].concat()
    };
    let huge = "a".repeat(100 * 1024);
    vec![
        Case::public(format!("{request_line}: bad UTF-8"), shape, head(b"api_prod_\xff\xfe")),
        Case::public(format!("{request_line}: NUL"), Shape::Any, head(b"api\0prod")),
        Case::public(format!("{request_line}: bell"), Shape::Any, head(b"api\x07prod")),
        Case::public(format!("{request_line}: DEL"), Shape::Any, head(b"api\x7fprod")),
        Case::public(format!("{request_line}: lone CR"), Shape::Any, head(b"api\rprod")),
        Case::public(format!("{request_line}: 100 KiB"), Shape::Any, head(huge.as_bytes()))
            .is(&[400, 401, 431]),
    ]
}

fn signing_cases(
    world: &World,
    method: &str,
    target: &str,
    shape: Shape,
) -> anyhow::Result<Vec<Case>> {
    let good = world.signer.sign(Request::new(method, target))?;
    let mut cases = Vec::new();
    let mut push = |name: String, request: Request| {
        cases.push(Case::public(format!("{method} {target}: {name}"), shape, request.bytes()));
    };
    for index in 0..good.headers.len() {
        let name = good.headers[index].0.clone();
        let mut without = good.clone();
        without.headers.remove(index);
        push(format!("without {name}"), without);
        let mut doubled = good.clone();
        doubled.headers.push(good.headers[index].clone());
        push(format!("{name} twice"), doubled);
        for (bend, value) in [
            ("empty", String::new()),
            ("joined", format!("{0}, {0}", good.headers[index].1)),
            ("very long", "A".repeat(4_000)),
            ("not ASCII", "日本".into()),
            ("of commas", ",,,".into()),
        ] {
            let mut bent = good.clone();
            bent.headers[index].1 = value;
            push(format!("{name} {bend}"), bent);
        }
    }
    push("with a key beside".into(), good.clone().header("X-API-Key", &world.bearer.text));
    let bearer = format!("Bearer {}", world.bearer.text);
    push("with Authorization beside".into(), good.clone().header("Authorization", &bearer));
    let mut other_target = good.clone();
    other_target.target.push_str(if target.contains('?') { "&m=2" } else { "?m=2" });
    push("signed for another target".into(), other_target);
    push("signed without its body".into(), Request { body: b"{}".to_vec(), ..good.clone() });
    let encoded = good.clone().header("Content-Encoding", "gzip");
    if matches!(shape, Shape::Problem) {
        cases.push(
            Case::public(
                "signed body with a coding",
                shape,
                Request { body: vec![31], ..encoded }.bytes(),
            )
            .is(&[400, 401, 415]),
        );
    }
    Ok(cases)
}

/// One value has one spelling (RFC 4648 §3.5).
fn signature_spellings(
    world: &World,
    method: &str,
    target: &str,
    shape: Shape,
) -> anyhow::Result<Vec<Case>> {
    let now = timestamp_text();
    let signature = world.signer.signature(&now, method, target, b"")?;
    let (body, _) = signature.split_at(signature.len() - 1);
    let spellings = [
        ("URL-safe", signature.replace('+', "-").replace('/', "_")),
        ("unpadded", body.to_owned()),
        ("padded twice", format!("{signature}=")),
        ("with stray bits", with_stray_bits(&signature)),
        ("with a blank inside", format!("{} {}", signature.split_at(9).0, signature.split_at(9).1)),
        ("a byte short", signature.split_at(40).0.to_owned()),
        ("of 33 bytes", "A".repeat(44)),
        ("of no bytes", "====".into()),
        ("in hexadecimal", "00".repeat(32)),
        ("all zero", format!("{}=", "A".repeat(43))),
        ("in lower case", signature.to_ascii_lowercase()),
    ];
    let mut cases = Vec::new();
    for (name, spelling) in spellings.into_iter().filter(|(_, spelling)| *spelling != signature) {
        let request = Request::new(method, target)
            .header("lmts-api-key", &world.signer.token_id)
            .header("lmts-timestamp", &now)
            .header("lmts-signature", &spelling);
        let name = format!("{method} {target}: signature {name}");
        cases.push(Case::public(name, shape, request.bytes()));
    }
    Ok(cases)
}

/// 32 bytes leave two bits of the last character unused. With one of them set it is another text,
/// which a lenient decoder takes for the same signature.
fn with_stray_bits(signature: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (start, end) = signature.split_at(signature.len() - 2);
    let value = end.chars().next().and_then(|last| ALPHABET.find(last)).unwrap_or(0);
    let stray = ALPHABET.chars().nth(value | 1).unwrap_or('B');
    format!("{start}{stray}=")
}

/// All correctly signed, so that only the time can be at fault.
fn timestamps(
    world: &World,
    method: &str,
    target: &str,
    shape: Shape,
) -> anyhow::Result<Vec<Case>> {
    let now = timestamp_text();
    let (seconds, _) = now.split_at(19);
    let odd = [
        timestamp_text_shifted(SignedDuration::from_secs(-32)),
        timestamp_text_shifted(SignedDuration::from_secs(45)),
        timestamp_text_shifted(SignedDuration::from_hours(24 * 365)),
        seconds.to_owned(),
        seconds.split_at(10).0.to_owned(),
        format!("{seconds}Z[UTC]"),
        format!("{seconds}+25:00"),
        format!("{seconds}.Z"),
        format!("{seconds}Zjunk"),
        format!("{seconds}.{}Z", "1".repeat(60)),
        format!("{seconds} UTC"),
        "now".into(),
        "0".into(),
        "-1".into(),
        "1774269296".into(),
        "9223372036854775807".into(),
        "99999-01-01T00:00:00Z".into(),
        "+292277026596-12-04T15:30:07Z".into(),
        "-000001-01-01T00:00:00Z".into(),
        "9999-12-31T23:59:59Z".into(),
        "0000-00-00T00:00:00Z".into(),
        "2026-02-30T00:00:00Z".into(),
        "2026-12-31T23:59:60Z".into(),
        "2026-01-01T24:00:00Z".into(),
        "NaN".into(),
        "٢٠٢٦-٠١-٠١T٠٠:٠٠:٠٠Z".into(),
        "Mon, 23 Mar 2026 12:34:56 GMT".into(),
    ];
    let mut cases = Vec::new();
    for timestamp in odd {
        let request = world.signer.sign_at(Request::new(method, target), &timestamp)?;
        let name = format!("{method} {target}: timestamp {timestamp:?}");
        cases.push(Case::public(name, shape, request.bytes()));
    }
    Ok(cases)
}

fn identity_cases(world: &World) -> Vec<Case> {
    let token = &world.identity;
    let (head, rest) = token.split_once('.').unwrap_or_default();
    let (claims, signature) = rest.split_once('.').unwrap_or_default();
    // {"alg":"none"} and {"alg":"HS256","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIn0";
    let symmetric = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
    let good = format!("identity: Bearer {token}");
    let bent: Vec<(&str, Vec<String>)> = vec![
        ("missing", vec![]),
        ("empty", vec!["identity:".into()]),
        ("without a token", vec!["identity: Bearer".into()]),
        ("without a scheme", vec![format!("identity: {token}")]),
        ("of another scheme", vec![format!("identity: Basic {token}")]),
        ("twice", vec![good.clone(), good.clone()]),
        ("joined", vec![format!("identity: Bearer {token}, Bearer {token}")]),
        ("in Authorization", vec![format!("Authorization: Bearer {token}")]),
        ("an API key", vec![format!("X-API-Key: {}", world.bearer.text)]),
        ("not a JWT", vec!["identity: Bearer abc".into()]),
        ("dots only", vec!["identity: Bearer ..".into()]),
        ("unsigned", vec![format!("identity: Bearer {none}.{claims}.")]),
        (
            "unsigned with a signature",
            vec![format!("identity: Bearer {none}.{claims}.{signature}")],
        ),
        ("symmetric", vec![format!("identity: Bearer {symmetric}.{claims}.{signature}")]),
        ("without a signature", vec![format!("identity: Bearer {head}.{claims}.")]),
        ("with two signatures", vec![format!("{good}.{signature}")]),
        ("not base64", vec![format!("identity: Bearer {head}.{claims}.!!!!")]),
        ("of other claims", vec![format!("identity: Bearer {head}.e30.{signature}")]),
        ("of 12 KiB", vec![format!("identity: Bearer {head}.{}.{signature}", "e30".repeat(4_000))]),
        ("not ASCII", vec!["identity: Bearer 日本".into()]),
    ];
    let mut cases = Vec::new();
    for request_line in [
        "GET /auth/api-tokens/capabilities HTTP/1.1",
        "POST /auth/api-tokens/derive HTTP/1.1",
        "POST /auth/api-keys HTTP/1.1",
        "GET /auth/api-keys HTTP/1.1",
        "DELETE /auth/api-keys HTTP/1.1",
    ] {
        for (name, headers) in &bent {
            let mut lines = vec![request_line, "Host: h", "Content-Length: 0"];
            lines.extend(headers.iter().map(String::as_str));
            let name = format!("{request_line}: identity {name}");
            cases.push(Case::public(name, Shape::Limitless, raw(&lines, b"")));
        }
    }
    cases
}

fn admin_cases(world: &World) -> Vec<Case> {
    let good = format!("Authorization: Bearer {}", world.admin_token);
    let headers: Vec<(&str, Vec<String>)> = vec![
        ("no credential", vec![]),
        ("empty", vec!["Authorization:".into()]),
        ("wrong token", vec!["Authorization: Bearer wrong".into()]),
        ("basic", vec!["Authorization: Basic YTpi".into()]),
        ("twice", vec![good.clone(), good.clone()]),
        ("joined", vec![format!("{good}, {good}")]),
        ("a user's token", vec![format!("Authorization: Bearer {}", world.bearer.text)]),
        ("not ASCII", vec!["Authorization: Bearer 日本".into()]),
    ];
    let mut cases = Vec::new();
    for target in ["/v1/tokens", "/v1/users", "/v1/audit", "/v1/status", "/v1/no-such-thing", "/"] {
        for (name, headers) in &headers {
            let request_line = format!("GET {target} HTTP/1.1");
            let mut lines = vec![request_line.as_str(), "Host: h"];
            lines.extend(headers.iter().map(String::as_str));
            let name = format!("{target}: {name}");
            let case = Case::public(name, Shape::Problem, raw(&lines, b"")).on(Listener::Admin);
            // A known caller of the wrong kind may be told so.
            cases.push(case.is(&[400, 401, 403]));
        }
    }
    cases
}
