//! Bodies that are no JSON, too much JSON, or the wrong JSON.

use super::{Case, Listener, Shape, World};
use rescind_e2e::wire::Request;
use serde_json::json;

/// Unreadable or wrong, or too long, or of a type that is not spoken here.
const BAD_BODY: &[u16] = &[400, 413, 415, 422];
/// A readable login that is merely wrong.
const BAD_LOGIN: &[u16] = &[400, 401];

pub(super) fn cases(world: &World) -> anyhow::Result<Vec<Case>> {
    let doors = doors(world);
    let mut cases = Vec::new();
    for door in &doors {
        for (name, body) in unreadable(&door.good) {
            cases.push(door.case(&name, Some("application/json"), body));
        }
        for content_type in
            ["text/plain", "application/x-www-form-urlencoded", "text/json;", "💥", ""]
        {
            let name = format!("content type {content_type:?}");
            cases.push(door.case(&name, Some(content_type), door.good.clone().into_bytes()));
        }
        if !door.body_is_optional {
            cases.push(door.case("no content type", None, door.good.clone().into_bytes()));
            cases.push(door.case("no body", Some("application/json"), Vec::new()));
        }
    }
    cases.extend(wrong_logins(world));
    cases.extend(wrong_derivations(world));
    cases.extend(wrong_admin_requests(world));
    Ok(cases)
}

/// An endpoint that reads JSON, with a body that it would take. The good body is never sent whole.
struct Door {
    request: Request,
    listener: Listener,
    shape: Shape,
    good: String,
    body_is_optional: bool,
}

fn doors(world: &World) -> [Door; 4] {
    let login = json!({"email": world.email, "password": world.password}).to_string();
    let user = json!({"email": "new@example.com", "password": "long enough a password"});
    [
        Door {
            request: Request::post("/auth/token"),
            listener: Listener::Public,
            shape: Shape::Wizcommerce,
            good: login,
            body_is_optional: false,
        },
        Door {
            request: world.with_identity(Request::post("/auth/api-tokens/derive")),
            listener: Listener::Public,
            shape: Shape::Limitless,
            good: json!({"label": "x", "scopes": ["trading"]}).to_string(),
            body_is_optional: true,
        },
        Door {
            request: Request::post("/v1/verify"),
            listener: Listener::Verify,
            shape: Shape::Problem,
            good: json!({"token": world.bearer.text, "scopes": []}).to_string(),
            body_is_optional: false,
        },
        Door {
            request: world.as_admin(Request::post("/v1/users")),
            listener: Listener::Admin,
            shape: Shape::Problem,
            good: user.to_string(),
            body_is_optional: false,
        },
    ]
}

impl Door {
    fn case(&self, name: &str, content_type: Option<&str>, body: Vec<u8>) -> Case {
        let mut request = Request { body, ..self.request.clone() };
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        let name = format!("{}: {name}", request.target);
        Case::public(name, self.shape, request.bytes()).on(self.listener).is(BAD_BODY)
    }
}

/// `good` bent so that no JSON reader may accept it, or no careful one.
fn unreadable(good: &str) -> Vec<(String, Vec<u8>)> {
    let inner = good.strip_prefix('{').unwrap_or(good);
    let deep = format!("{}{},\"x\":", "[".repeat(9_000), "]".repeat(9_000));
    let mut bodies: Vec<(String, Vec<u8>)> = vec![
        ("not JSON".into(), b"hello".to_vec()),
        ("a string".into(), b"\"hello\"".to_vec()),
        ("a number".into(), b"1".to_vec()),
        ("null".into(), b"null".to_vec()),
        ("an array".into(), format!("[{good}]").into_bytes()),
        ("trailing text".into(), format!("{good} x").into_bytes()),
        ("two values".into(), format!("{good}{good}").into_bytes()),
        ("trailing comma".into(), format!("{},}}", good.trim_end_matches('}')).into_bytes()),
        ("single quotes".into(), good.replace('"', "'").into_bytes()),
        ("NaN".into(), format!("{{\"n\":NaN,{inner}").into_bytes()),
        ("a comment".into(), format!("/* x */{good}").into_bytes()),
        ("a raw NUL in a string".into(), good.replacen(":\"", ":\"\0", 1).into_bytes()),
        ("UTF-16".into(), good.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("byte order mark".into(), format!("\u{feff}{good}").into_bytes()),
        ("deep arrays".into(), "[".repeat(20_000).into_bytes()),
        ("deep objects".into(), "{\"a\":".repeat(10_000).into_bytes()),
        ("deep in a field".into(), good.replacen(":\"", &format!(":{deep}\""), 1).into_bytes()),
        ("2 MiB of blanks".into(), format!("{}{good}", " ".repeat(2 << 20)).into_bytes()),
        (
            "a 2 MiB string".into(),
            format!("{{\"x\":\"{}\",{inner}", "a".repeat(2 << 20)).into_bytes(),
        ),
    ];
    for cut in [1, good.len() / 2, good.len() - 1] {
        bodies.push((format!("cut after {cut} bytes"), good.as_bytes().split_at(cut).0.to_vec()));
    }
    if let Some((key, _)) = inner.split_once(':') {
        bodies.push(("a key twice".into(), format!("{{{key}:\"other\",{inner}").into_bytes()));
    }
    for (name, bad) in
        [("bad UTF-8", &b"\xff"[..]), ("overlong UTF-8", b"\xc0\xaf"), ("cut UTF-8", b"\xe6\x97")]
    {
        let (start, end) = good.as_bytes().split_at(good.len() - 2);
        bodies.push((name.into(), [start, bad, end].concat()));
    }
    bodies.push(("a lone surrogate".into(), good.replacen(":\"", ":\"\\ud800", 1).into_bytes()));
    bodies
}

fn wrong_logins(world: &World) -> Vec<Case> {
    let (email, password) = (world.email.as_str(), world.password.as_str());
    let bodies = [
        ("no password", json!({"email": email})),
        ("no e-mail", json!({"password": password})),
        ("nothing", json!({})),
        ("empty password", json!({"email": email, "password": ""})),
        ("empty e-mail", json!({"email": "", "password": password})),
        ("null password", json!({"email": email, "password": null})),
        ("number for a password", json!({"email": email, "password": 1})),
        ("array for an e-mail", json!({"email": [email], "password": password})),
        ("object for an e-mail", json!({"email": {"$ne": null}, "password": password})),
        ("password of 1 025 bytes", json!({"email": email, "password": "x".repeat(1_025)})),
        ("password of 60 KB", json!({"email": email, "password": "x".repeat(60_000)})),
        ("e-mail of 10 KB", json!({"email": "x".repeat(10_000), "password": password})),
        ("NUL after the password", json!({"email": email, "password": format!("{password}\0")})),
        ("blank after the password", json!({"email": email, "password": format!("{password} ")})),
        ("NUL after the e-mail", json!({"email": format!("{email}\0"), "password": password})),
        ("dotless i in the e-mail", json!({"email": email.replace('i', "ı"), "password": "x"})),
        ("SQL for an e-mail", json!({"email": "' OR 1=1 --", "password": password})),
    ];
    let case = |(name, body): (&str, serde_json::Value)| {
        let bytes = Request::post("/auth/token").json(&body).bytes();
        Case::public(format!("login: {name}"), Shape::Wizcommerce, bytes).is(BAD_LOGIN)
    };
    bodies.into_iter().map(case).collect()
}

fn wrong_derivations(world: &World) -> Vec<Case> {
    let bodies = [
        ("label one too long", json!({"label": "ü".repeat(129)})),
        ("label of 50 KB", json!({"label": "x".repeat(50_000)})),
        ("label a number", json!({"label": 1})),
        ("label an array", json!({"label": ["x"]})),
        ("scopes a string", json!({"scopes": "trading"})),
        ("scopes an object", json!({"scopes": {"0": "trading"}})),
        ("scope a number", json!({"scopes": [1]})),
        ("scope empty", json!({"scopes": [""]})),
        ("scope unknown", json!({"scopes": ["no_such_scope"]})),
        ("scope in upper case", json!({"scopes": ["TRADING"]})),
        ("scope with a blank", json!({"scopes": ["trading "]})),
        ("two scopes in one", json!({"scopes": ["trading withdrawal"]})),
        ("2 000 scopes", json!({"scopes": vec!["trading,"; 2_000]})),
        ("scope beyond the allowed", json!({"scopes": ["trading", "admin"]})),
        ("delegated_signing alone", json!({"scopes": ["delegated_signing"]})),
    ];
    let case = |(name, body): (&str, serde_json::Value)| {
        let derive = world.with_identity(Request::post("/auth/api-tokens/derive"));
        let case =
            Case::public(format!("derive: {name}"), Shape::Limitless, derive.json(&body).bytes());
        case.is(&[400, 403])
    };
    bodies.into_iter().map(case).collect()
}

fn wrong_admin_requests(world: &World) -> Vec<Case> {
    let id = &world.bearer.id;
    let revoke = format!("/v1/tokens/{id}/revoke");
    let bodies = [
        (revoke.as_str(), json!({"reason": "because"})),
        (revoke.as_str(), json!({"reason": 1})),
        (revoke.as_str(), json!([])),
        ("/v1/tokens/no-such-token/revoke", json!({})),
        ("/v1/tokens/%2e%2e/revoke", json!({})),
        ("/v1/tokens", json!({"owner_id": "nobody", "kind": "bearer"})),
        ("/v1/tokens", json!({"kind": "bearer"})),
        ("/v1/tokens", json!({"owner_id": "", "kind": ""})),
        ("/v1/tokens", json!({"owner_id": "nobody", "kind": "bearer", "expires_in_seconds": -1})),
        (
            "/v1/tokens",
            json!({"owner_id": "nobody", "kind": "bearer", "expires_in_seconds": 1e300}),
        ),
        ("/v1/users", json!({"email": world.email, "password": "another password"})),
        ("/v1/users", json!({"email": "not an address", "password": "another password"})),
        ("/v1/users", json!({"email": "a@example.com", "password": ""})),
        ("/v1/users/nobody/suspend", json!({})),
        ("/v1/users/email:nobody@example.com/suspend", json!({})),
        ("/v1/partners", json!({"subject": ""})),
        ("/v1/partners", json!({"subject": "s", "allowed_scopes": ["no such scope"]})),
    ];
    let mut cases: Vec<_> = bodies
        .into_iter()
        .map(|(target, body)| {
            let request = world.as_admin(Request::post(target)).json(&body);
            let case = Case::public(format!("{target} {body}"), Shape::Problem, request.bytes());
            case.on(Listener::Admin).is(&[400, 404, 409, 422])
        })
        .collect();
    // Operators are looked for like everybody else.
    let body = json!({"owner_id": "nobody", "kind": "admin"});
    let request = world.as_admin(Request::post("/v1/tokens")).json(&body);
    let case = Case::public("an operator's token", Shape::Problem, request.bytes());
    cases.push(case.on(Listener::Admin).is(&[404]));
    for query in
        ["limit=-1", "limit=x", "limit=18446744073709551616", "after=%00", "state=odd", "a=%ff"]
    {
        for list in ["tokens", "users", "partners", "audit"] {
            let target = format!("/v1/{list}?{query}");
            let request = world.as_admin(Request::get(&target));
            let case = Case::public(target, Shape::Problem, request.bytes()).on(Listener::Admin);
            // What a list does not know it may ignore.
            cases.push(case.is(&[200, 400, 404, 422]));
        }
    }
    cases
}
