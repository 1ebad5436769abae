//! What clients and operators do with a server, over HTTP.

use crate::process::{FREE_PORTS, Home, Process};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// A whole exchange, in the slowest test.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A running `rescind dev --json`, and what it said of itself.
pub(crate) struct Dev {
    pub(crate) process: Process,
    pub(crate) facts: Value,
}

impl Dev {
    /// On free ports, with its data where it keeps them by default.
    pub(crate) async fn start(home: &Home) -> Self {
        Self::start_with(home, &[]).await
    }

    pub(crate) async fn start_with(home: &Home, arguments: &[&str]) -> Self {
        let line = ["dev", "--json"].iter().chain(&FREE_PORTS).chain(arguments);
        let mut process = home.start("dev", home.rescind(line));
        let line = process.says(|out| out.ends_with('\n')).await;
        Self { process, facts: serde_json::from_str(&line).unwrap() }
    }

    pub(crate) fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.facts))
    }

    /// An address below the public listener.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.fact("base_url"))
    }

    /// A token of the demo user.
    pub(crate) async fn token(&self) -> String {
        log_in(self.fact("base_url"), self.fact("email"), self.fact("password")).await
    }
}

/// A client without the environment's proxies; a new one has no open connections.
pub(crate) fn http() -> Client {
    Client::builder().no_proxy().timeout(ANSWER_WITHIN).build().unwrap()
}

/// The status of the answer.
pub(crate) async fn status(request: RequestBuilder) -> u16 {
    answer(request).await.status().as_u16()
}

pub(crate) async fn answer(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

/// Status and JSON body of the answer.
pub(crate) async fn json_of(request: RequestBuilder) -> (u16, Value) {
    let answer = answer(request).await;
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")))
}

/// The token that a login gives.
pub(crate) async fn log_in(base: &str, email: &str, password: &str) -> String {
    let login = json!({"email": email, "password": password});
    let (status, body) = json_of(http().post(format!("{base}/auth/token")).json(&login)).await;
    assert_eq!(status, 200, "{body}");
    text(&body, "access_token")
}

/// The status of a request with this token.
pub(crate) async fn shown(url: &str, token: &str) -> u16 {
    status(http().get(url).header("X-API-Key", token)).await
}

/// The status of the question what this identity may do.
pub(crate) async fn identified(base: &str, identity: &str) -> u16 {
    let url = format!("{base}/auth/api-tokens/capabilities");
    status(http().get(url).header("identity", format!("Bearer {identity}"))).await
}

pub(crate) fn text(object: &Value, name: &str) -> String {
    object[name].as_str().unwrap_or_else(|| panic!("no {name} in {object}")).to_owned()
}
