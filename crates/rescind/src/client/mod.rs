//! The admin API from outside: one request, one answer, every fault said in words.
//!
//! Redirects are not followed (the token would go along), proxies of the environment are not used,
//! answers are bounded, and each request has a time-out. Only what is safe to repeat is repeated:
//! creations, once, with the same `Idempotency-Key`.

mod lines;
mod list;
mod problem;
mod revoking;

pub(crate) use lines::Lines;
pub(crate) use list::List;

use crate::{context::Context, failure::Failure};
use problem::{Fault, innermost};
use rand::RngExt as _;
use reqwest::{
    Method, RequestBuilder, Url,
    header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue},
    redirect::Policy,
};
use serde_json::Value;
use std::time::Duration;

/// A server that is there answers a connection at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a whole answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer, in bytes; a full page of tokens has about a tenth of it.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
const PREFER: &str = "prefer";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";

#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
}

/// A good answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub body: Value,
    /// The server's clock, as it says.
    pub date: Option<String>,
    /// It was done before, with the same idempotency key.
    pub replayed: bool,
}

/// What was asked to be created.
#[derive(Debug)]
pub(crate) struct Created {
    pub body: Value,
    pub replayed: bool,
    /// The first attempt had no answer.
    pub retried: bool,
}

impl Client {
    pub(crate) fn new(context: &Context) -> Result<Self, Failure> {
        let mut token = HeaderValue::from_str(&format!("Bearer {}", context.admin_token.expose()))
            .map_err(|_| Failure::usage(format!("the token in {} is not one", context.origin)))?;
        token.set_sensitive(true);
        let http = reqwest::Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, token)]))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(TIMEOUT)
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(|fault| Failure::usage(format!("no HTTP client: {}", innermost(&fault))))?;
        Ok(Self { http, base: context.admin_url.clone() })
    }

    pub(crate) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Reply, Failure> {
        let request = self.request(Method::GET, path, query)?;
        self.answer(path, request).await.map_err(Into::into)
    }

    async fn get_preferring(&self, prefer: &str, path: &[&str]) -> Result<Value, Failure> {
        let request = self.request(Method::GET, path, &[])?.header(PREFER, prefer);
        Ok(self.answer(path, request).await?.body)
    }

    async fn post_preferring(
        &self,
        prefer: &str,
        path: &[&str],
        body: &Value,
    ) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path, &[])?.header(PREFER, prefer);
        Ok(self.answer(path, request.json(body)).await?.body)
    }

    pub(crate) async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.send(Method::POST, path, body).await
    }

    pub(crate) async fn patch(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.send(Method::PATCH, path, body).await
    }

    pub(crate) async fn put(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.send(Method::PUT, path, body).await
    }

    /// A creation, which is done once even if it is sent twice. Without a key of the caller's own a
    /// new one is drawn.
    pub(crate) async fn create(
        &self,
        path: &[&str],
        body: &Value,
        key: Option<&str>,
    ) -> Result<Created, Failure> {
        let key = key.map_or_else(random_key, Into::into);
        let attempt = || async {
            let request = self.request(Method::POST, path, &[])?.header(IDEMPOTENCY_KEY, &key);
            self.answer(path, request.json(body)).await
        };
        let (reply, retried) = match attempt().await {
            Err(Fault { again: Some(wait), .. }) => {
                tokio::time::sleep(wait).await;
                (attempt().await.map_err(|fault| fault.with_key(&key))?, true)
            }
            first => (first?, false),
        };
        Ok(Created { body: reply.body, replayed: reply.replayed, retried })
    }

    async fn send(&self, method: Method, path: &[&str], body: &Value) -> Result<Value, Failure> {
        let request = self.request(method, path, &[])?.json(body);
        Ok(self.answer(path, request).await?.body)
    }

    fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<RequestBuilder, Failure> {
        Ok(self.http.request(method, self.url(path, query)?))
    }

    async fn answer(&self, path: &[&str], request: RequestBuilder) -> Result<Reply, Fault> {
        let request = request.timeout(TIMEOUT);
        let response = request.send().await.map_err(|fault| self.unreachable(&fault))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.read_bounded(response).await?;
        if !status.is_success() {
            return Err(self.problem(path, status, &headers, &body));
        }
        let body = serde_json::from_slice(&body).map_err(|_| self.stranger())?;
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let replayed = text(IDEMPOTENCY_REPLAYED) == Some("true");
        Ok(Reply { body, date: text(DATE.as_str()).map(Into::into), replayed })
    }

    /// Each part is one segment, whatever is in it.
    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| self.stranger())?.pop_if_empty().extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn read_bounded(&self, mut response: reqwest::Response) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|fault| self.unreachable(&fault))? {
            if bytes.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(self.stranger().into());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}

/// 128 random bits in hexadecimal.
fn random_key() -> String {
    format!("{:032x}", rand::rng().random::<u128>())
}

#[cfg(test)]
mod tests;
