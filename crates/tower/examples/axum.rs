//! An axum service that issues its own API tokens.
//!
//! ```sh
//! cargo run -p rescind-tower --example axum -- ./data
//! curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3000/orders          # 200
//! curl -H "Authorization: Bearer $TOKEN" -d tea http://127.0.0.1:3000/orders   # 403: orders:write
//! curl -H "Authorization: Bearer $TOKEN" -X DELETE http://127.0.0.1:3000/token # 204
//! curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3000/orders          # 401
//! ```

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Router, serve};
use rescind_tower::{
    Actor, Authenticated, Embedded, Issued, KeyRing, NewToken, ScopeSet, StoreError,
};
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the token is what one starts this for")]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| "data".into());
    let tokens = Embedded::open(format!("{directory}/tokens.db"), KeyRing::none()).await?;
    println!("TOKEN={}", first_token(&tokens).await?.secret.expose());

    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    // With the peer's address: tokens may be bound to networks.
    let app = app(tokens.clone())?.into_make_service_with_connect_info::<SocketAddr>();
    serve(listener, app).with_graceful_shutdown(ended(tokens.clone())).await?;
    tokens.close().await?;
    Ok(())
}

/// For somebody whom this service calls "alice".
pub async fn first_token(tokens: &Embedded) -> Result<Issued, Box<dyn Error>> {
    let alice = tokens.owner_named("alice").await?;
    let scopes = ScopeSet::parse(["orders:read"])?;
    let token = NewToken::bearer(&alice.id).label("first").scopes(scopes).expires_in(A_DAY);
    Ok(tokens.issue(token).await?)
}

/// Each route asks for what it needs; `/health` for nothing.
pub fn app(tokens: Embedded) -> Result<Router, Box<dyn Error>> {
    let read = tokens.layer().require(ScopeSet::parse(["orders:read"])?);
    let write = tokens.layer().require(ScopeSet::parse(["orders:write"])?);
    let any = tokens.layer();
    Ok(Router::new()
        .route("/orders", get(orders).layer(read).merge(post(order).layer(write)))
        .route("/token", delete(revoke).layer(any))
        .route("/health", get(health))
        .with_state(tokens))
}

async fn orders(caller: Authenticated) -> String {
    format!("the orders of {}\n", caller.owner_name())
}

async fn order(caller: Authenticated, what: String) -> String {
    format!("{what} for {}\n", caller.owner_name())
}

/// Whoever has lost a token may end it. It is refused from the moment of this answer on.
async fn revoke(caller: Authenticated, State(tokens): State<Embedded>) -> StatusCode {
    let holder = tokens.acting_as(Actor::owner(caller.owner_id()));
    match holder.revoke(&caller.token_id()).await {
        Ok(_) => StatusCode::NO_CONTENT,
        Err(StoreError::ActorRefused) => StatusCode::FORBIDDEN,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn health(State(tokens): State<Embedded>) -> StatusCode {
    if tokens.is_open() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Ctrl-C; or the store has failed, and no request passes any more.
async fn ended(tokens: Embedded) {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = tokens.failed() => {}
    }
}
