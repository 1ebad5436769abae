//! Who asks, as the API behind the proxy learns it.

use super::scene::Scene;
use anyhow::ensure;
use rescind_e2e::proxy::Program;
use rescind_e2e::upstream::Seen;
use rescind_e2e::wire::Request;

/// Every identity header. That a name is missing is the same as that it is empty.
pub(super) const NAMES: [&str; 9] = [
    "x-rescind-subject",
    "x-rescind-token-id",
    "x-rescind-token-kind",
    "x-rescind-scopes",
    "x-rescind-tenant",
    "x-rescind-profile-id",
    "x-rescind-account",
    "x-rescind-email",
    "x-rescind-body",
];

const CREDENTIALS: [&str; 6] = [
    "authorization",
    "x-api-key",
    "lmts-api-key",
    "lmts-timestamp",
    "lmts-signature",
    "lmts-covers",
];

/// How other proxies tell of a request, with another one than is sent.
const OTHERS: [(&str, &str); 14] = [
    ("X-Original-URI", "/elsewhere"),
    ("X-Original-URL", "/elsewhere"),
    ("X-Original-Method", "OPTIONS"),
    ("X-Rewrite-URL", "/elsewhere"),
    ("X-Forwarded-Uri", "/elsewhere"),
    ("X-Forwarded-Method", "OPTIONS"),
    ("X-Forwarded-Prefix", "/elsewhere"),
    ("X-Rescind-Original-Target", "/elsewhere"),
    ("X-Rescind-Original-Method", "OPTIONS"),
    ("X-Envoy-Original-Path", "/elsewhere"),
    ("X-Envoy-Auth-Partial-Body", "false"),
    ("X-Rescind-Status", "200"),
    ("X-HTTP-Method-Override", "OPTIONS"),
    ("X-Auth-Request-Redirect", "/elsewhere"),
];

pub(super) async fn valid_token_passes_and_its_identity_arrives(
    scene: &mut Scene,
) -> anyhow::Result<()> {
    let request = Request::get("/v1/orders?market=a%20b&x=%2F");
    let seen = scene.passes(&scene.trader.show(request)).await?;
    ensure!(seen.target == "/v1/orders?market=a%20b&x=%2F", "another target: {}", seen.target);
    is(&seen, "x-rescind-subject", &scene.owner)?;
    is(&seen, "x-rescind-token-id", &scene.trader.id)?;
    is(&seen, "x-rescind-token-kind", "bearer")?;
    is(&seen, "x-rescind-scopes", "trading")?;
    is(&seen, "x-rescind-email", &scene.email)?;
    is(&seen, "x-rescind-body", "unsigned")?;
    is(&seen, "x-rescind-profile-id", "")?;
    ensure!(!seen.all("x-rescind-tenant").concat().is_empty(), "no tenant: {:?}", seen.headers);
    Ok(())
}

pub(super) async fn bearer_in_authorization_passes_too(scene: &mut Scene) -> anyhow::Result<()> {
    let bearer = format!("Bearer {}", scene.plain.text);
    let seen = scene.passes(&Request::get("/v1/orders").header("Authorization", &bearer)).await?;
    is(&seen, "x-rescind-token-id", &scene.plain.id)
}

pub(super) async fn upstream_sees_no_credential(scene: &mut Scene) -> anyhow::Result<()> {
    let bearer = format!("Bearer {}", scene.plain.text);
    let requests = [
        scene.plain.show(Request::get("/v1/orders")),
        Request::get("/v1/orders").header("Authorization", &bearer),
        scene.signer()?.sign_digest(Request::get("/v1/orders"))?,
    ];
    for request in requests {
        let seen = scene.passes(&request).await?;
        let left = CREDENTIALS.into_iter().find(|name| seen.has(name));
        ensure!(left.is_none(), "it sees {left:?}");
    }
    Ok(())
}

pub(super) async fn what_a_client_calls_itself_changes_nothing(
    scene: &mut Scene,
) -> anyhow::Result<()> {
    let honest = scene.passes(&scene.plain.show(Request::get("/v1/orders"))).await?;
    for spell in SPELLINGS {
        let mut request = scene.plain.show(Request::get("/v1/orders"));
        for name in NAMES {
            request = request.header(&spell(name), "forged");
        }
        let seen = scene.passes(&request).await?;
        for name in NAMES {
            is(&seen, name, &honest.all(name).concat())?;
        }
        let alias = seen.headers.iter().find(|(_, value)| value == "forged");
        ensure!(alias.is_none(), "{alias:?} arrived");
        request.headers.retain(|(name, _)| name != "X-API-Key");
        scene.is_refused(&request, &[401]).await?;
    }
    Ok(())
}

/// Rescind may say more one day, and an API believe it. nginx removes only what it is told by name.
pub(super) async fn identity_header_that_rescind_does_not_send_does_not_arrive(
    scene: &mut Scene,
) -> anyhow::Result<()> {
    let request = scene.plain.show(Request::get("/v1/orders").header("X-Rescind-Rank", "forged"));
    let arrives = scene.passes(&request).await?.has("x-rescind-rank");
    ensure!(arrives == (scene.program == Program::Nginx), "arrives: {arrives}");
    Ok(())
}

/// As they are, and as programs behind a proxy read for the same: CGI, WSGI, PHP.
const SPELLINGS: [fn(&str) -> String; 4] = [
    |name| name.to_owned(),
    |name| name.replace('-', "_"),
    |name| name.replacen('-', "_", 1),
    |name| name.replace('-', "."),
];

/// Of a request for one thing they say that it is for another.
pub(super) async fn headers_of_other_proxies_change_nothing(
    scene: &mut Scene,
) -> anyhow::Result<()> {
    let with =
        |request: Request| OTHERS.iter().fold(request, |r, (name, value)| r.header(name, value));
    let seen = scene.passes(&with(scene.trader.show(Request::get("/trading/a")))).await?;
    ensure!((seen.method.as_str(), seen.target.as_str()) == ("GET", "/trading/a"), "{seen:?}");
    for name in ["x-original-url", "x-rewrite-url"] {
        ensure!(!seen.has(name), "some frameworks would serve {name}");
    }
    scene.is_refused(&with(scene.plain.show(Request::get("/trading/a"))), &[403]).await?;
    scene.is_refused(&with(Request::get("/v1/a")), &[401]).await?;
    scene.passes(&with(scene.signer()?.sign(Request::get("/v1/a"))?)).await?;
    let mut elsewhere = scene.signer()?.sign(Request::new("OPTIONS", "/elsewhere"))?;
    (elsewhere.method, elsewhere.target) = ("GET".into(), "/v1/a".into());
    scene.is_refused(&with(elsewhere), &[401]).await?;
    Ok(())
}

/// Exactly once and with this value; or, if it is empty, perhaps not at all.
pub(super) fn is(seen: &Seen, name: &str, expected: &str) -> anyhow::Result<()> {
    let values = seen.all(name);
    let good = values == [expected] || (expected.is_empty() && values.is_empty());
    ensure!(good, "{name} should be {expected:?}, and is {values:?}");
    Ok(())
}
