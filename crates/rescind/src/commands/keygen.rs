//! `rescind keygen …`: secrets for files, made here so that nobody invents them.

use crate::{cli::KeygenCommand, failure::Failure, output::Answer};
use rescind_core::{Plain, TokenPrefix};
use rescind_store::KeyRing;
use serde_json::json;

pub(crate) fn run(command: &KeygenCommand) -> Result<Answer, Failure> {
    let mut rng = rand::rng();
    Ok(match command {
        KeygenCommand::AdminToken { prefix } => {
            let prefix = TokenPrefix::parse(prefix)
                .map_err(|fault| Failure::usage(format!("--prefix {prefix}: {fault}")))?;
            let token = Plain::random(&prefix, &mut rng);
            Answer::line(json!({"admin_token": token.expose()}), token.expose())
                .note(advice("admin-token", "admin.bootstrap_token_file"))
        }
        KeygenCommand::SealingKey => {
            let key = KeyRing::generate_text(&mut rng);
            Answer::line(json!({"sealing_key": key.as_str()}), key.as_str())
                .note(advice("sealing-key", "sealing.key_files"))
                .note("keep a copy elsewhere: without it, signing tokens cannot be checked")
        }
    })
}

fn advice(command: &str, key: &str) -> String {
    format!(
        "put it into a file that only the server's user can read, and name that in {key}:\n  \
         (umask 077; rescind keygen {command} > FILE)"
    )
}
