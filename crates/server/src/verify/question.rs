//! What is asked of `/v1/verify`: one question, or up to a hundred in `items`. A question is about
//! a bearer token's text, or about a whole request as somebody received it.
//!
//! A question that cannot be read is a fault of whoever asks, and fails all of them; a credential
//! that does not hold is an answer.

use super::at_most::AtMost;
use super::whole_request::{ReceivedRequest, WholeRequest};
use crate::http::Problem;
use rescind_core::{Demand, ScopeSet};
use serde::Deserialize;
use std::borrow::Cow;
use std::net::IpAddr;

/// Most questions in one request.
pub const QUESTIONS_MAX: usize = 100;

/// The body. Its token stays unseen: it prints its own name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest<'b> {
    #[serde(borrow)]
    token: Option<Text<'b>>,
    request: Option<Box<WholeRequest>>,
    #[serde(borrow, default)]
    scopes: Vec<Text<'b>>,
    #[serde(borrow)]
    client_address: Option<Text<'b>>,
    #[serde(borrow)]
    items: Option<AtMost<Item<'b>, QUESTIONS_MAX>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item<'b> {
    #[serde(borrow)]
    token: Option<Text<'b>>,
    request: Option<Box<WholeRequest>>,
    #[serde(borrow, default)]
    scopes: Vec<Text<'b>>,
    #[serde(borrow)]
    client_address: Option<Text<'b>>,
}

/// Where it stands in the body, unless something in it is escaped. serde borrows no `Option<Cow>`.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'b>(#[serde(borrow)] Cow<'b, str>);

pub(super) enum Questions<'b> {
    One(Question<'b>),
    Several(Vec<Question<'b>>),
}

/// One question, readable.
pub(super) struct Question<'b> {
    pub(super) about: About<'b>,
    scopes: ScopeSet,
    client: Option<IpAddr>,
}

pub(super) enum About<'b> {
    Token(Cow<'b, str>),
    Request(Box<ReceivedRequest>),
}

impl<'b> VerifyRequest<'b> {
    pub(super) fn questions(self) -> Result<Questions<'b>, Problem> {
        let Self { token, request, scopes, client_address, items } = self;
        let Some(AtMost(items)) = items else {
            let item = Item { token, request, scopes, client_address };
            return item.question().map(Questions::One).map_err(Problem::bad_request);
        };
        let alone = token.is_none() && request.is_none() && client_address.is_none();
        if !alone || !scopes.is_empty() || items.is_empty() {
            let detail =
                format!("items has 1 to {QUESTIONS_MAX} questions, and nothing beside it.");
            return Err(Problem::bad_request(detail));
        }
        let numbered = items.into_iter().enumerate().map(|(index, item)| {
            item.question()
                .map_err(|fault| Problem::bad_request(format!("items[{index}]: {fault}")))
        });
        numbered.collect::<Result<_, _>>().map(Questions::Several)
    }
}

impl<'b> Item<'b> {
    fn question(self) -> Result<Question<'b>, String> {
        let about = match (self.token, self.request) {
            (Some(Text(token)), None) => About::Token(token),
            (None, Some(request)) => About::Request(Box::new(request.received()?)),
            _ => return Err("Send either token or request.".into()),
        };
        let scopes = ScopeSet::parse(self.scopes.iter().map(|Text(name)| &**name));
        let client = self.client_address.map(|Text(text)| text.parse()).transpose();
        Ok(Question {
            about,
            scopes: scopes.map_err(|fault| format!("scopes: {fault}."))?,
            client: client.map_err(|_| "client_address: not an IP address.")?,
        })
    }
}

impl Question<'_> {
    pub(super) fn demand(&self) -> Demand<'_> {
        Demand { admin: false, scopes: &self.scopes, client: self.client }
    }
}

impl std::fmt::Debug for VerifyRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifyRequest")
    }
}
