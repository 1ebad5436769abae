//! What is asked of `/v1/verify`: one question, or up to a hundred in `items`. A question is about
//! a bearer token's text, or about a whole request as somebody received it.
//!
//! A question that cannot be read is a fault of whoever asks, and fails all of them; a credential
//! that does not hold is an answer.

use super::at_most::AtMost;
use super::whole_request::{ReceivedRequest, WholeRequest};
use crate::http::Problem;
use rescind_core::ScopeSet;
use serde::Deserialize;
use std::net::IpAddr;

/// Most questions in one request.
pub const QUESTIONS_MAX: usize = 100;

/// The body. Its token stays unseen: it prints its own name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    token: Option<String>,
    request: Option<Box<WholeRequest>>,
    #[serde(default)]
    scopes: Vec<String>,
    client_address: Option<String>,
    items: Option<AtMost<Item, QUESTIONS_MAX>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    token: Option<String>,
    request: Option<Box<WholeRequest>>,
    #[serde(default)]
    scopes: Vec<String>,
    client_address: Option<String>,
}

pub(super) enum Questions {
    One(Question),
    Several(Vec<Question>),
}

/// One question, readable.
pub(super) struct Question {
    pub(super) about: About,
    pub(super) scopes: ScopeSet,
    pub(super) client: Option<IpAddr>,
}

pub(super) enum About {
    Token(String),
    Request(Box<ReceivedRequest>),
}

impl VerifyRequest {
    pub(super) fn questions(self) -> Result<Questions, Problem> {
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

impl Item {
    fn question(self) -> Result<Question, String> {
        let about = match (self.token, self.request) {
            (Some(token), None) => About::Token(token),
            (None, Some(request)) => About::Request(Box::new(request.received()?)),
            _ => return Err("Send either token or request.".into()),
        };
        let scopes = ScopeSet::parse(self.scopes.iter().map(String::as_str));
        let client = self.client_address.map(|text| text.parse()).transpose();
        Ok(Question {
            about,
            scopes: scopes.map_err(|fault| format!("scopes: {fault}."))?,
            client: client.map_err(|_| "client_address: not an IP address.")?,
        })
    }
}

impl std::fmt::Debug for VerifyRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifyRequest")
    }
}
