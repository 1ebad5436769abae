//! Rescind inside a Rust service: API tokens that can be taken back, without a server beside it.
//!
//! [`Embedded`] is a store of the service's own: it issues, rotates and revokes tokens, durably, in
//! one SQLite file. [`VerifyLayer`] is a [`tower::Layer`] for any HTTP service (axum, hyper, tonic):
//! it lets a request through if its token allows it, and puts [`Authenticated`] into the request's
//! extensions. Verification is in memory; when [`Embedded::revoke`] has returned, no request that
//! is decided afterwards passes.
//!
//! ```
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use rescind_tower::{Authenticated, Embedded, KeyRing, NewToken, ScopeSet, VerifiedBody};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # type Body = Full<bytes::Bytes>;
//! # async fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("tokens.db");
//! // In the service's own data directory. Signing secrets need a key; bearer tokens do not.
//! let tokens = Embedded::open(path, KeyRing::none()).await?;
//!
//! // A token for somebody whom the service calls "alice". Its text is shown this once.
//! let alice = tokens.owner_named("alice").await?;
//! let scopes = ScopeSet::parse(["orders:read"])?;
//! let issued = tokens.issue(NewToken::bearer(&alice.id).scopes(scopes.clone())).await?;
//! let text = issued.secret.expose();
//!
//! // Any HTTP service behind the layer.
//! let service = tokens.layer().require(scopes).layer(service_fn(
//!     async |request: Request<VerifiedBody<Body>>| {
//!         let caller = request.extensions().get::<Authenticated>().ok_or("no layer")?;
//!         let greeting = format!("hello {}", caller.owner_name());
//!         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Response::new(Body::from(greeting)))
//!     },
//! ));
//! let request = || {
//!     let authorization = format!("Bearer {text}");
//!     Request::get("/orders").header("authorization", authorization).body(Body::default())
//! };
//! assert_eq!(service.clone().oneshot(request()?).await?.status(), StatusCode::OK);
//!
//! tokens.revoke(&issued.record.id).await?;
//! assert_eq!(service.oneshot(request()?).await?.status(), StatusCode::UNAUTHORIZED);
//!
//! tokens.close().await?;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(run()).unwrap();
//! ```
//!
//! # What a request may send
//!
//! One credential: `Authorization: Bearer`, `X-API-Key`, or the headers of a signed request; two
//! are refused. A signed body is read whole, up to a limit, and verified before the service sees
//! it. A path that two programs could read in two ways is refused. Refusals are RFC 9457
//! `application/problem+json`: 400, 401, 403, 408, 413, 415, and 503 while nobody can say.
//!
//! # What is not believed
//!
//! `X-Rescind-*` headers, by which a gateway tells an API who asks: they are removed in every
//! spelling. [`Authenticated`] has no public constructor, and no header becomes one. The address of
//! a client comes from the connection, from [`ClientIp`], or from proxies that
//! [`VerifyLayer::trusted_proxies`] names; a token that is bound to networks is refused where it is
//! unknown.
//!
//! # What it deliberately does not do
//!
//! Ask another server, guess scopes from paths, or share the file: one process at a time has it
//! open, for the other's memory would not follow. If the store fails, nothing in memory is called
//! valid any more, and [`Embedded::failed`] says so.

#![warn(missing_docs)]

mod address;
mod authenticated;
mod embedded;
mod issue;
mod layer;

pub use address::ClientIp;
pub use authenticated::Authenticated;
pub use embedded::{Builder, Embedded, OpenError};
pub use issue::{Issued, IssuedSecret, NewToken, Rotated};
pub use layer::{RefusableBody, VerifiedBody, Verify, VerifyLayer};

pub use rescind_access::{Gatekeeper, Problem, ProblemType};
pub use rescind_core::{
    Actor, Demand, NetworkSet, Owner, OwnerId, RevocationReason, ScopeSet, TenantId, Timestamp,
    TokenId, TokenKind, TokenPrefix, TokenRecord, TokenState, TokenUpdate, signature::BodyProof,
};
pub use rescind_guard::credentials::{CredentialHeaders, SigningHeaders};
pub use rescind_guard::{Clock, Refusal};
pub use rescind_store::{
    IssueError, IssuedBefore, KeyRing, Overlap, OwnerError, OwnerUpdate, Revoked, RotateError,
    SetRevoked, Settled, Store, StoreError, StoredToken, TokenFilter, TokenSet, UpdateError,
};
