//! What `rescind dev` brings along, so that everything can be tried without anybody else: a
//! directory with its secrets, an identity issuer, and an API to protect.

mod data;
mod issuer;
pub(crate) mod upstream;

pub(crate) use data::{BEGIN_ANEW, DataDir};
pub(crate) use issuer::{AUDIENCE, ISSUER, Issuer, IssuerError};

use crate::failure::Failure;
use crate::server::chain;
use etcetera::BaseStrategy as _;
use std::path::{Path, PathBuf};

/// The directory that is told, or the one for all: `rescind/dev` where the user keeps data.
pub(crate) fn data_directory(told: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(told) = told {
        return Ok(told.to_owned());
    }
    let base = etcetera::choose_base_strategy()
        .map_err(|_| Failure::usage("there is no home directory").next("give --data DIR"))?;
    Ok(base.data_dir().join("rescind").join("dev"))
}

impl From<IssuerError> for Failure {
    fn from(error: IssuerError) -> Self {
        match &error {
            IssuerError::File { path, source } => data::fault(path, source),
            _ => Self::unreachable(chain(&error)),
        }
    }
}
