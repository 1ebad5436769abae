//! Bodies that come along with a question, or that are announced and never come.

use super::profile::Bodies;
use super::route::Route;
use axum::body::Body;
use bytes::Bytes;
use http::header;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use rescind_guard::Fields;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// nginx passes the client's `Content-Length` on and not the body, unless it is told not to. Who
/// waits for that body waits until nginx gives up. It is not waited for, and the connection cannot
/// be used again: where the next request begins is in doubt.
pub(super) fn is_announced_in_vain(route: &Route<'_>, body: &Body) -> bool {
    let Bodies::Never { hint } = route.profile.bodies else { return false };
    if body.is_end_stream() {
        return false;
    }
    let profile = route.profile.name;
    tracing::warn!(profile, hint, "a body was announced to forward-auth, and none is passed on");
    true
}

/// A body that is read on, and thrown away, when nobody reads it any more. A connection that is
/// closed with bytes unread is reset, and some proxies then lose the answer that they already have.
pub(super) fn read_to_its_end(headers: &impl Fields, body: Body, patience: Duration) -> Body {
    // Who expects to be invited sends nothing without it: then closing is right.
    if body.is_end_stream() || headers.has(&header::EXPECT) {
        return body;
    }
    Body::new(Kept { body, patience })
}

struct Kept {
    body: Body,
    patience: Duration,
}

impl http_body::Body for Kept {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            return;
        }
        let mut rest = std::mem::take(&mut self.body);
        let patience = self.patience;
        let discard = async move { while let Some(Ok(_)) = rest.frame().await {} };
        tokio::spawn(async move { drop(tokio::time::timeout(patience, discard).await) });
    }
}
