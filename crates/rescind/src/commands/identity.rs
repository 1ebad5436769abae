//! `rescind dev identity`: what a partner's login would have given.

use crate::{
    cli::IdentityArgs,
    dev::{self, Issuer},
    failure::Failure,
    output::Answer,
};
use rescind_guard::{Clock as _, clock::SystemClock};
use serde_json::json;

pub(crate) fn run(args: &IdentityArgs) -> Result<Answer, Failure> {
    let directory = dev::data_directory(args.data.as_deref())?;
    // Not made here: a key that the running server does not know would sign nothing of worth.
    let issuer = Issuer::load(&directory).map_err(|fault| {
        Failure::usage(fault.to_string())
            .next("start `rescind dev` with the same --data first; it makes the key")
    })?;
    let token = issuer
        .sign(&args.subject, args.kind, SystemClock.now())
        .map_err(|fault| Failure::usage(fault.to_string()))?;
    Ok(Answer::line(json!({"identity_token": token}), token))
}
