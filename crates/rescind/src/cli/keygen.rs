//! `rescind keygen …`

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum KeygenCommand {
    /// An operator's token, for `admin.bootstrap_token_file`
    AdminToken {
        /// As in `tokens.admin_prefix`
        #[arg(long, default_value = "rescind_admin_")]
        prefix: String,
    },
    /// A key that seals signing secrets, for `sealing.key_files`
    SealingKey,
}
