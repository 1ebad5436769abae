//! Which server is meant, and the operator's token for it.
//!
//! The two always come from one place. A saved token sent to an address from the environment would
//! be given away to whoever set that variable.

mod saved;

pub(crate) use saved::{Contexts, Saved, unknown};

use crate::failure::Failure;
use reqwest::Url;
use rescind_core::Plain;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

pub(crate) const ADMIN_URL: &str = "RESCIND_ADMIN_URL";
pub(crate) const ADMIN_TOKEN: &str = "RESCIND_ADMIN_TOKEN";
const CONTEXT: &str = "RESCIND_CONTEXT";

/// A server and how to be let in.
#[derive(Debug)]
pub(crate) struct Context {
    pub admin_url: Url,
    pub admin_token: Plain,
    /// Where it was found, for people.
    pub origin: String,
}

impl Context {
    /// The one that is named, else from the environment, else the saved one in use.
    pub(crate) fn find(name: Option<&str>) -> Result<Self, Failure> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::find_in(name, variable, &saved::directory()?)
    }

    /// `environment` gives a variable's value; `directory` is where contexts are saved.
    fn find_in(
        name: Option<&str>,
        environment: impl Fn(&str) -> Option<String>,
        directory: &Path,
    ) -> Result<Self, Failure> {
        let saved = |name| Contexts::load_from(directory)?.find(name);
        let name = name.map(ToOwned::to_owned).or_else(|| environment(CONTEXT));
        match (name.as_deref(), environment(ADMIN_URL), environment(ADMIN_TOKEN)) {
            (Some(name), _, _) => saved(Some(name)),
            (None, Some(url), Some(token)) => Self::new(&url, &token, "the environment".to_owned()),
            (None, None, None) => saved(None),
            (None, Some(_), None) => Err(half(ADMIN_URL, ADMIN_TOKEN)),
            (None, None, Some(_)) => Err(half(ADMIN_TOKEN, ADMIN_URL)),
        }
    }

    pub(crate) fn new(url: &str, token: &str, origin: String) -> Result<Self, Failure> {
        let fault = |what: &str| {
            Failure::usage(format!("the admin URL in {origin} {what}"))
                .next("write it as https://admin.example or http://127.0.0.1:8082")
        };
        let admin_url: Url = url.parse().map_err(|_| fault("is not a URL"))?;
        if !matches!(admin_url.scheme(), "http" | "https") || !admin_url.has_host() {
            return Err(fault("is not http:// or https://"));
        }
        if !admin_url.username().is_empty() || admin_url.password().is_some() {
            return Err(fault("must not contain a user or password"));
        }
        let admin_token = Plain::from_text(token);
        Ok(Self { admin_url, admin_token, origin })
    }

    /// Keeps it for later commands, readable for this user only, and uses it.
    pub(crate) fn save(&self, name: &str) -> Result<PathBuf, Failure> {
        Contexts::update_in(&saved::directory()?, |contexts| {
            contexts.put(name, self);
            contexts.current = Some(name.to_owned());
            Ok(())
        })
    }

    /// Keeps it, and uses it unless another server is in use. Says whether it is.
    pub(crate) fn offer(&self, name: &str) -> Result<bool, Failure> {
        let mut is_used = false;
        Contexts::update_in(&saved::directory()?, |contexts| {
            let leads_here = |other: &Saved| other.admin_url == self.admin_url.as_str();
            let current = contexts.current.as_deref().and_then(|name| contexts.all.get(name));
            if current.is_none_or(leads_here) {
                contexts.current = Some(name.to_owned());
            }
            contexts.put(name, self);
            is_used = contexts.current.as_deref() == Some(name);
            Ok(())
        })?;
        Ok(is_used)
    }

    /// Whether the token would cross a network in the clear.
    pub(crate) fn is_exposed(&self) -> bool {
        let host = self.admin_url.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let stays_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        self.admin_url.scheme() != "https" && !stays_here
    }
}

/// What to do where no server is known.
pub(crate) fn how_to_get_one() -> String {
    format!(
        "start one with `rescind dev`, name one with `rescind context add`, or set {ADMIN_URL} \
         and {ADMIN_TOKEN}"
    )
}

fn half(given: &str, missing: &str) -> Failure {
    Failure::usage(format!("{given} is set, {missing} is not"))
        .next("set both, or neither to use what was saved")
}

#[cfg(test)]
mod tests;
