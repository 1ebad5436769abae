//! What Envoy asks, as it was seen to ask it (1.40), and what it makes of the answer.

use envoy_types::ext_authz::v3::pb::{
    Address, CheckRequest, CheckResponse, HeaderAppendAction, HeaderValue as EnvoyHeader,
    HeaderValueOption, HttpResponse,
};
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest as Check};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

pub(super) const PARTIAL: &str = "x-envoy-auth-partial-body";

#[derive(Clone)]
pub(super) struct Asked {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    client: String,
    extensions: HashMap<String, String>,
    /// `encode_raw_headers`
    raw_headers: bool,
}

pub(super) fn get(target: &str) -> Asked {
    Asked {
        method: "GET".into(),
        target: target.into(),
        headers: Vec::new(),
        body: Vec::new(),
        client: "192.0.2.7".into(),
        extensions: HashMap::new(),
        raw_headers: false,
    }
}

impl Asked {
    pub(super) fn method(mut self, method: &str) -> Self {
        self.method = method.into();
        self
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Lines as in HTTP/1.1.
    pub(super) fn lines(self, lines: &str) -> Self {
        lines
            .lines()
            .filter_map(|line| line.split_once(": "))
            .fold(self, |asked, (name, value)| asked.header(name, value))
    }

    pub(super) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// As Envoy hands it over with `with_request_body`.
    pub(super) fn body(self, bytes: &[u8]) -> Self {
        Self { body: bytes.to_vec(), ..self }.header(PARTIAL, "false")
    }

    pub(super) fn beginning_of_body(self, bytes: &[u8]) -> Self {
        Self { body: bytes.to_vec(), ..self }.header(PARTIAL, "true")
    }

    pub(super) fn from(self, client: &str) -> Self {
        Self { client: client.into(), ..self }
    }

    pub(super) fn extension(mut self, key: &str, value: &str) -> Self {
        self.extensions.insert(key.into(), value.into());
        self
    }

    pub(super) fn raw_headers(self) -> Self {
        Self { raw_headers: true, ..self }
    }

    pub(super) fn message(self) -> CheckRequest {
        let socket = core::SocketAddress { address: self.client, ..Default::default() };
        let address = core::Address { address: Some(Address::SocketAddress(socket)) };
        let mut http = HttpRequest {
            method: self.method.clone(),
            path: self.target.clone(),
            raw_body: self.body,
            ..HttpRequest::default()
        };
        let pseudo = [(":method".into(), self.method), (":path".into(), self.target)];
        let headers = pseudo.into_iter().chain(self.headers);
        if self.raw_headers {
            let header = |(key, value): (String, String)| {
                let raw_value = value.into_bytes();
                EnvoyHeader { key, raw_value, ..EnvoyHeader::default() }
            };
            http.header_map = Some(core::HeaderMap { headers: headers.map(header).collect() });
        } else {
            for (name, value) in headers {
                let joined: &mut String = http.headers.entry(name).or_default();
                joined.push_str(if joined.is_empty() { "" } else { "," });
                joined.push_str(&value);
            }
        }
        Check {
            attributes: Some(AttributeContext {
                source: Some(Peer { address: Some(address), ..Peer::default() }),
                request: Some(Request { http: Some(http), ..Request::default() }),
                context_extensions: self.extensions,
                ..AttributeContext::default()
            }),
        }
    }
}

/// A yes, or what the client sees instead.
#[derive(Debug)]
pub(super) enum Said {
    Yes { identity: BTreeMap<String, String>, removed: Vec<String> },
    No { status: u16, headers: Vec<(String, String)>, problem: Value },
}

impl Said {
    /// As Envoy reads it: the status decides.
    pub(super) fn of(answer: CheckResponse) -> Self {
        let code = answer.status.map_or(0, |status| status.code);
        match answer.http_response {
            Some(HttpResponse::OkResponse(ok)) => {
                assert_eq!(code, 0);
                let identity: BTreeMap<_, _> = ok.headers.iter().map(overwriting).collect();
                assert_eq!(identity.len(), ok.headers.len());
                assert!(ok.response_headers_to_add.is_empty());
                Self::Yes { identity, removed: ok.headers_to_remove }
            }
            Some(HttpResponse::DeniedResponse(denied)) => {
                assert_ne!(code, 0, "a denial that Envoy takes for a yes");
                Self::No {
                    status: denied.status.unwrap().code.try_into().unwrap(),
                    headers: denied.headers.iter().map(pair).collect(),
                    problem: serde_json::from_str(&denied.body).unwrap(),
                }
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn yes(self) -> BTreeMap<String, String> {
        match self {
            Self::Yes { identity, .. } => identity,
            no => panic!("{no:?}"),
        }
    }

    #[track_caller]
    pub(super) fn removed(self) -> Vec<String> {
        match self {
            Self::Yes { removed, .. } => removed,
            no => panic!("{no:?}"),
        }
    }

    /// Checks the status, and that the problem says the same.
    #[track_caller]
    pub(super) fn no(self, expected: u16) -> Vec<(String, String)> {
        match self {
            Self::No { status, headers, problem } => {
                assert_eq!(status, expected, "{problem}");
                assert_eq!(problem["status"], expected);
                let kind = ("content-type".into(), "application/problem+json".into());
                assert!(headers.contains(&kind), "{headers:?}");
                headers
            }
            yes @ Self::Yes { .. } => panic!("{yes:?}"),
        }
    }
}

pub(super) fn values<'a>(headers: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
}

/// One that goes over the client's, also if it is empty.
fn overwriting(option: &HeaderValueOption) -> (String, String) {
    let action = HeaderAppendAction::OverwriteIfExistsOrAdd;
    assert_eq!(option.append_action, i32::from(action), "{option:?}");
    assert!(option.keep_empty_value, "{option:?}");
    pair(option)
}

fn pair(option: &HeaderValueOption) -> (String, String) {
    let header = option.header.clone().unwrap();
    (header.key, header.value)
}
