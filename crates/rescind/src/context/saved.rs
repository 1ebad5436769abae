//! The servers that this user has named: one private file in the configuration directory, written
//! whole under a lock, so that two commands at once lose nothing.

use super::{Context, how_to_get_one};
use crate::{failure::Failure, private_file};
use etcetera::BaseStrategy as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "contexts.json";
const LOCK: &str = "contexts.lock";
/// Where the one context was kept before there were several.
const FORMER_FILE: &str = "context.json";
/// What that one is called now.
const FORMER_NAME: &str = "default";

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Contexts {
    /// The one in use.
    pub current: Option<String>,
    #[serde(rename = "contexts")]
    pub all: BTreeMap<String, Saved>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Saved {
    pub admin_url: String,
    admin_token: String,
}

impl Contexts {
    pub(crate) fn load() -> Result<Self, Failure> {
        Self::load_from(&directory()?)
    }

    pub(crate) fn load_from(directory: &Path) -> Result<Self, Failure> {
        if let Some(contexts) = read::<Self>(&directory.join(FILE))? {
            return Ok(contexts);
        }
        let mut contexts = Self::default();
        if let Some(former) = read::<Saved>(&directory.join(FORMER_FILE))? {
            contexts.all.insert(FORMER_NAME.to_owned(), former);
            contexts.current = Some(FORMER_NAME.to_owned());
        }
        Ok(contexts)
    }

    pub(crate) fn update(
        change: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<PathBuf, Failure> {
        Self::update_in(&directory()?, change)
    }

    /// Reads, changes and writes, with nobody in between.
    pub(crate) fn update_in(
        directory: &Path,
        change: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<PathBuf, Failure> {
        let file = directory.join(FILE);
        let lock = directory.join(LOCK);
        let locked = lock_whole(&lock).map_err(|fault| unusable(&lock, &fault))?;
        let mut contexts = Self::load_from(directory)?;
        change(&mut contexts)?;
        let text = serde_json::to_vec_pretty(&contexts).map_err(|fault| unusable(&file, &fault))?;
        private_file::write(&file, &text).map_err(|fault| unusable(&file, &fault))?;
        // What it held is in the new file now. A copy of a token that nobody looks after is a risk.
        match std::fs::remove_file(directory.join(FORMER_FILE)) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => {
                return Err(unusable(&directory.join(FORMER_FILE), &fault));
            }
            _ => drop(locked),
        }
        Ok(file)
    }

    pub(crate) fn put(&mut self, name: &str, context: &Context) {
        let saved = Saved {
            admin_url: context.admin_url.to_string(),
            admin_token: context.admin_token.expose().to_owned(),
        };
        self.all.insert(name.to_owned(), saved);
    }

    /// The one of that name, else the one in use.
    pub(crate) fn find(&self, name: Option<&str>) -> Result<Context, Failure> {
        let Some(name) = name.or(self.current.as_deref()) else {
            return Err(match self.all.is_empty() {
                true => Failure::usage("no server is known").next(how_to_get_one()),
                false => Failure::usage("no server is in use")
                    .next("choose one with `rescind context use NAME`"),
            });
        };
        let saved = self.all.get(name).ok_or_else(|| unknown(name))?;
        Context::new(&saved.admin_url, &saved.admin_token, format!("context {name}"))
    }
}

pub(super) fn directory() -> Result<PathBuf, Failure> {
    let base = etcetera::choose_base_strategy()
        .map_err(|_| Failure::usage("there is no home directory").next("set HOME"))?;
    Ok(base.config_dir().join("rescind"))
}

pub(crate) fn unknown(name: &str) -> Failure {
    Failure::usage(format!("there is no context `{name}`"))
        .next("`rescind context list` shows those that there are")
}

fn lock_whole(path: &Path) -> io::Result<File> {
    private_file::touch(path)?;
    let file = File::options().write(true).open(path)?;
    file.lock()?;
    Ok(file)
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> Result<Option<T>, Failure> {
    let text = match private_file::read(file) {
        Ok(text) => text,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(fault) => return Err(unusable(file, &fault)),
    };
    // The parser's own message could show a piece of the token.
    let read = serde_json::from_str(&text);
    read.map(Some).map_err(|_| unusable(file, &"it is not what `rescind context add` writes"))
}

fn unusable(file: &Path, fault: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!("{}: {fault}", file.display()))
        .next("mend or remove that file, then name the server with `rescind context add`")
}

/// Without the token.
impl std::fmt::Debug for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Saved").field("admin_url", &self.admin_url).finish_non_exhaustive()
    }
}
