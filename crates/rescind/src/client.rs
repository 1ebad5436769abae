//! The admin API from outside: one request, one answer, every fault said in words.
//!
//! Redirects are not followed (the token would go along), proxies of the environment are not used,
//! answers are bounded, and each request has a time-out.

use crate::{
    context::Context,
    failure::{Exit, Failure},
};
use reqwest::{
    Method, StatusCode, Url,
    header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue},
    redirect::Policy,
};
use serde_json::Value;
use std::time::Duration;

/// A server that is there answers a connection at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a whole answer. A revocation waits for other nodes' leases, a few seconds.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer, in bytes; a full page of tokens has about a tenth of it.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest problem text that is repeated, in characters.
const PROBLEM_CHARS_MAX: usize = 500;
/// Items asked for in one request.
const PAGE_ITEMS: usize = 100;
/// Most items of one list; more are no longer for reading.
const LIST_ITEMS_MAX: usize = 10_000;

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
}

/// A list, of all pages.
#[derive(Debug)]
pub(crate) struct List {
    pub items: Vec<Value>,
    /// Set if there are more than are shown.
    pub next: Option<String>,
}

impl Client {
    pub(crate) fn new(context: &Context) -> Result<Self, Failure> {
        let mut token = HeaderValue::from_str(&format!("Bearer {}", context.admin_token.expose()))
            .map_err(|_| Failure::usage(format!("the token in {} is not one", context.origin)))?;
        token.set_sensitive(true);
        let http = reqwest::Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, token)]))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
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
        self.send(Method::GET, path, query, None).await
    }

    pub(crate) async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        Ok(self.send(Method::POST, path, &[], Some(body)).await?.body)
    }

    pub(crate) async fn patch(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        Ok(self.send(Method::PATCH, path, &[], Some(body)).await?.body)
    }

    /// All pages of a list, up to a bound.
    pub(crate) async fn list(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<List, Failure> {
        let limit = PAGE_ITEMS.to_string();
        let mut list = List { items: Vec::new(), next: None };
        loop {
            let after = list.next.take();
            let mut asked = query.to_vec();
            asked.push(("limit", &limit));
            asked.extend(after.as_deref().map(|after| ("after", after)));
            let mut page = self.get(path, &asked).await?.body;
            let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) else {
                return Err(self.stranger());
            };
            list.items.extend(items);
            list.next = page.get("next").and_then(Value::as_str).map(Into::into);
            if list.next.is_none() || list.items.len() >= LIST_ITEMS_MAX {
                return Ok(list);
            }
            if list.next == after {
                return Err(Failure::unreachable("the server's list does not end"));
            }
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Reply, Failure> {
        let request = self.http.request(method, self.url(path, query)?);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await.map_err(|fault| self.unreachable(&fault))?;
        let status = response.status();
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        let date = date.map(Into::into);
        let body = self.read_bounded(response).await?;
        if !status.is_success() {
            return Err(self.problem(status, &body));
        }
        let body = serde_json::from_slice(&body).map_err(|_| self.stranger())?;
        Ok(Reply { body, date })
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

    async fn read_bounded(&self, mut response: reqwest::Response) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|fault| self.unreachable(&fault))? {
            if bytes.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(self.stranger());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    fn unreachable(&self, fault: &reqwest::Error) -> Failure {
        let base = &self.base;
        if fault.is_connect() {
            return Failure::unreachable(format!("cannot connect to {base}: {}", innermost(fault)))
                .next("start a server with `rescind dev`, or look into it with `rescind doctor`");
        }
        let message = if fault.is_timeout() {
            format!("no answer from {base} within {} s", TIMEOUT.as_secs())
        } else {
            format!("the exchange with {base} broke off: {}", innermost(fault))
        };
        Failure::unreachable(message)
            .next("whether it was done is not known: look before repeating")
    }

    /// An answer other than 2xx: RFC 9457, or not ours.
    fn problem(&self, status: StatusCode, body: &[u8]) -> Failure {
        let Ok(problem) = serde_json::from_slice::<Value>(body) else {
            return self.stranger();
        };
        let part = |name| problem.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let message: String = match (part("title"), part("detail")) {
            (Some(title), Some(detail)) => format!("{title}: {detail}"),
            (Some(one), None) | (None, Some(one)) => one.to_owned(),
            (None, None) => format!("the server answered {status}"),
        };
        let message = message.chars().take(PROBLEM_CHARS_MAX).collect();
        let exit = if status.is_server_error() { Exit::Unreachable } else { Exit::Refused };
        let next = match status {
            StatusCode::UNAUTHORIZED => Some("check the admin token with `rescind doctor`".into()),
            StatusCode::TOO_MANY_REQUESTS => Some("wait a little, then repeat the command".into()),
            _ => None,
        };
        Failure { exit, message, next }
    }

    fn stranger(&self) -> Failure {
        Failure::unreachable(format!("{} does not answer as Rescind's admin API does", self.base))
            .next("check the URL: it is that of the admin listener")
    }
}

/// The last of the chain says what happened; those before it repeat the URL.
fn innermost(fault: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = fault;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests;
