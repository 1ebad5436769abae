//! Which server is meant, and the operator's token for it.
//!
//! The two always come from one place. A saved token sent to an address from the environment would
//! be given away to whoever set that variable.

use crate::{failure::Failure, private_file};
use etcetera::BaseStrategy as _;
use reqwest::Url;
use rescind_core::Plain;
use serde::{Deserialize, Serialize};
use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
};

pub(crate) const ADMIN_URL: &str = "RESCIND_ADMIN_URL";
pub(crate) const ADMIN_TOKEN: &str = "RESCIND_ADMIN_TOKEN";

/// A server and how to be let in.
#[derive(Debug)]
pub(crate) struct Context {
    pub admin_url: Url,
    pub admin_token: Plain,
    /// Where it was found, for people.
    pub origin: String,
}

/// What lies in the file.
#[derive(Serialize, Deserialize)]
struct Saved {
    admin_url: String,
    admin_token: String,
}

impl Context {
    /// From the environment, else from the saved file.
    pub(crate) fn find() -> Result<Self, Failure> {
        Self::find_in(|name| std::env::var(name).ok().filter(|value| !value.is_empty()), &file()?)
    }

    /// `environment` gives a variable's value; `file` may be missing.
    pub(crate) fn find_in(
        environment: impl Fn(&str) -> Option<String>,
        file: &Path,
    ) -> Result<Self, Failure> {
        match (environment(ADMIN_URL), environment(ADMIN_TOKEN)) {
            (Some(url), Some(token)) => Self::new(&url, &token, "the environment".to_owned()),
            (None, None) => Self::load(file),
            (Some(_), None) => Err(half(ADMIN_URL, ADMIN_TOKEN)),
            (None, Some(_)) => Err(half(ADMIN_TOKEN, ADMIN_URL)),
        }
    }

    pub(crate) fn new(url: &str, token: &str, origin: String) -> Result<Self, Failure> {
        let fault = |what: &str| Failure::usage(format!("the admin URL in {origin} {what}"));
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

    /// Saves it for later commands, readable for this user only.
    pub(crate) fn save(&self) -> Result<PathBuf, Failure> {
        let file = file()?;
        self.save_to(&file)?;
        Ok(file)
    }

    fn save_to(&self, file: &Path) -> Result<(), Failure> {
        let saved = Saved {
            admin_url: self.admin_url.to_string(),
            admin_token: self.admin_token.expose().to_owned(),
        };
        let text = serde_json::to_vec_pretty(&saved).map_err(|fault| unusable(file, &fault))?;
        private_file::write(file, &text).map_err(|fault| unusable(file, &fault))
    }

    fn load(file: &Path) -> Result<Self, Failure> {
        let text = private_file::read(file).map_err(|fault| match fault.kind() {
            io::ErrorKind::NotFound => nowhere(),
            _ => unusable(file, &fault),
        })?;
        // The parser's own message could show a piece of the token.
        let saved: Saved = serde_json::from_str(&text)
            .map_err(|_| unusable(file, &"it is not what `rescind doctor --save` writes"))?;
        Self::new(&saved.admin_url, &saved.admin_token, file.display().to_string())
    }

    /// Whether the token would cross a network in the clear.
    pub(crate) fn is_exposed(&self) -> bool {
        let host = self.admin_url.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let stays_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        self.admin_url.scheme() != "https" && !stays_here
    }
}

fn file() -> Result<PathBuf, Failure> {
    let base = etcetera::choose_base_strategy()
        .map_err(|_| Failure::usage("there is no home directory: set HOME"))?;
    Ok(base.config_dir().join("rescind").join("context.json"))
}

fn nowhere() -> Failure {
    Failure::usage("no server is known").next(format!(
        "start one with `rescind dev`, or set {ADMIN_URL} and {ADMIN_TOKEN}; \
         `rescind doctor --save` keeps them"
    ))
}

fn half(given: &str, missing: &str) -> Failure {
    Failure::usage(format!("{given} is set, {missing} is not"))
        .next("set both, or neither to use what was saved")
}

fn unusable(file: &Path, fault: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!("{}: {fault}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    const TOKEN: &str = "rescind_admin_secret";

    fn find(variables: &[(&str, &str)], file: &Path) -> Result<Context, Failure> {
        let value = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Context::find_in(value, file)
    }

    fn saved(root: &tempfile::TempDir) -> PathBuf {
        let file = root.path().join("rescind/context.json");
        let context = Context::new("http://127.0.0.1:8082", TOKEN, String::new()).unwrap();
        context.save_to(&file).unwrap();
        file
    }

    #[test]
    fn the_environment_goes_over_the_saved_context() {
        let root = tempfile::tempdir().unwrap();
        let file = saved(&root);
        let context = find(&[], &file).unwrap();
        assert_eq!(context.admin_url.as_str(), "http://127.0.0.1:8082/");
        assert_eq!(context.admin_token.expose(), TOKEN);
        let said = [(ADMIN_URL, "https://admin.example"), (ADMIN_TOKEN, "other")];
        let context = find(&said, &file).unwrap();
        assert_eq!(context.admin_url.as_str(), "https://admin.example/");
        assert_eq!(context.admin_token.expose(), "other");
    }

    #[test]
    fn a_saved_token_is_never_sent_to_an_address_from_elsewhere() {
        let root = tempfile::tempdir().unwrap();
        let file = saved(&root);
        for half in [(ADMIN_URL, "http://evil.example"), (ADMIN_TOKEN, "other")] {
            let failure = find(&[half], &file).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.contains("is set"), "{failure:?}");
        }
    }

    #[test]
    fn a_missing_context_says_how_to_get_one() {
        let failure = find(&[], Path::new("/nonexistent/context.json")).unwrap_err();
        assert!(failure.next.unwrap().contains("rescind dev"));
    }

    #[test]
    fn damaged_contexts_and_urls_are_refused_without_showing_the_token() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("context.json");
        // Pasted in without the object around it.
        private_file::write(&file, format!("\"{TOKEN}\"").as_bytes()).unwrap();
        let failure = find(&[], &file).unwrap_err();
        assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
        for url in ["127.0.0.1:8082", "file:///etc", "http://user:pw@a.example", ""] {
            assert!(Context::new(url, TOKEN, String::new()).is_err(), "{url}");
        }
        let shown = format!("{:?}", Context::new("http://a", TOKEN, String::new()).unwrap());
        assert!(!shown.contains(TOKEN), "{shown}");
    }

    #[test]
    fn plain_http_is_exposed_unless_it_stays_on_this_machine() {
        let exposed = |url| Context::new(url, TOKEN, String::new()).unwrap().is_exposed();
        for url in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost", "https://a.example"]
        {
            assert!(!exposed(url), "{url}");
        }
        for url in ["http://a.example", "http://10.0.0.1", "http://127.0.0.1.example"] {
            assert!(exposed(url), "{url}");
        }
    }
}
