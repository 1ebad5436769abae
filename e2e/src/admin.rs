//! The admin listener, as the tests use it: to make tokens without a login, and to look at the
//! truth.

use crate::credential::{Bearer, Signer};
use crate::server::Server;
use crate::wire::{Answer, Connection, Request};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Items asked for at once.
const PAGE: u32 = 200;

pub struct Admin {
    connection: Connection,
    token: String,
}

/// What must not change when input is refused.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    /// Without their last-used times.
    pub tokens: Vec<Value>,
    pub users: Vec<Value>,
    pub partners: Vec<Value>,
    /// Number of the last audit entry.
    pub audited: u64,
}

impl Admin {
    pub async fn connect(server: &Server) -> anyhow::Result<Self> {
        Self::at(server.admin()?, &server.facts().admin_token).await
    }

    pub async fn at(address: SocketAddr, token: &str) -> anyhow::Result<Self> {
        Ok(Self { connection: Connection::open(address).await?, token: token.to_owned() })
    }

    pub async fn ask(&mut self, request: Request) -> anyhow::Result<Answer> {
        let authorization = format!("Bearer {}", self.token);
        self.connection.ask(&request.header("Authorization", &authorization)).await
    }

    /// The id of the user with this address.
    pub async fn user_id(&mut self, email: &str) -> anyhow::Result<String> {
        let users = self.all("/v1/users?").await?;
        let user = users.iter().find(|user| user["email"] == email).context("no such user")?;
        text(user, "id")
    }

    pub async fn create_user(&mut self, email: &str, password: &str) -> anyhow::Result<String> {
        let body = json!({"email": email, "password": password});
        let answer = self.ask(Request::post("/v1/users").json(&body)).await?;
        text(&answer.expect_status(201)?.json()?, "id")
    }

    pub async fn create_bearer(&mut self, owner: &str) -> anyhow::Result<Bearer> {
        read_bearer(&self.create_token(owner, "bearer").await?.expect_status(201)?)
    }

    pub async fn create_signer(&mut self, owner: &str) -> anyhow::Result<Signer> {
        let token = self.create_token(owner, "signing").await?.expect_status(201)?.json()?;
        Ok(Signer { token_id: text(&token, "id")?, secret: text(&token, "secret")? })
    }

    /// The bare answer, whatever its status.
    pub async fn create_token(&mut self, owner: &str, kind: &str) -> anyhow::Result<Answer> {
        let body = json!({"owner_id": owner, "kind": kind});
        self.ask(Request::post("/v1/tokens").json(&body)).await
    }

    pub async fn revoke(&mut self, id: &str) -> anyhow::Result<Answer> {
        self.ask(Request::post(&format!("/v1/tokens/{id}/revoke")).json(&json!({}))).await
    }

    pub async fn state(&mut self) -> anyhow::Result<State> {
        let mut tokens = self.all("/v1/tokens?state=all&").await?;
        for token in tokens.iter_mut().filter_map(Value::as_object_mut) {
            token.remove("last_used_at");
        }
        Ok(State {
            tokens,
            users: self.all("/v1/users?").await?,
            partners: self.all("/v1/partners?").await?,
            audited: self.all("/v1/audit?").await?.last().map_or(0, seq),
        })
    }

    /// Every item of a paged list; `list` ends in `?` or `&`.
    pub async fn all(&mut self, list: &str) -> anyhow::Result<Vec<Value>> {
        self.all_after(list, None).await
    }

    /// Every item after `after`.
    pub async fn all_after(
        &mut self,
        list: &str,
        after: Option<String>,
    ) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut after = after;
        loop {
            let mut target = format!("{list}limit={PAGE}");
            if let Some(after) = &after {
                target.push_str(&format!("&after={after}"));
            }
            let mut page = self.ask(Request::get(&target)).await?.expect_status(200)?.json()?;
            items.append(page["items"].as_array_mut().context("a list without items")?);
            after = match &page["next"] {
                Value::Null => return Ok(items),
                Value::String(id) => Some(id.clone()),
                other => Some(other.to_string()),
            };
        }
    }
}

/// What creating a bearer token answered.
pub fn read_bearer(answer: &Answer) -> anyhow::Result<Bearer> {
    let token = answer.json()?;
    Ok(Bearer { id: text(&token, "id")?, text: text(&token, "token")? })
}

/// A field that must be a string.
pub fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    let text = value[field].as_str().with_context(|| format!("no text in {field}"))?;
    Ok(text.to_owned())
}

fn seq(entry: &Value) -> u64 {
    entry["seq"].as_u64().unwrap_or(0)
}
