//! A standby that streams from another server, and that may take its place.

use super::{Postgres, succeed};

impl Postgres {
    /// Streams from the server behind this port of 127.0.0.1, as a copy of it. Whatever is set there
    /// is set here, also whether commits wait for a standby.
    pub async fn standby_of(upstream: u16) -> anyhow::Result<Self> {
        let standby = Self::in_a_folder()?;
        let mut copy = standby.command("pg_basebackup");
        copy.args(["-h", "127.0.0.1", "-U", "rescind", "-p"]).arg(upstream.to_string());
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "-D"]);
        copy.arg(standby.data());
        succeed(copy)?;
        standby.append(&standby.place())?;
        standby.resume_service().await?;
        Ok(standby)
    }

    /// From now on no commit is confirmed before a standby has it, whichever. Without one it waits.
    pub fn wait_for_a_standby(&self) -> anyhow::Result<()> {
        self.psql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'")?;
        self.psql("postgres", "SELECT pg_reload_conf()").map(drop)
    }

    /// When this returns it streams no more, and takes writes.
    pub fn promote(&self) -> anyhow::Result<()> {
        self.control(&["promote"])
    }
}
