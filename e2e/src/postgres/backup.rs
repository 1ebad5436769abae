//! A copy of one database, and how it takes the place of what it was made of. Whoever is connected to
//! it loses the connection, as with any restore.

use super::Postgres;

impl Postgres {
    pub(crate) fn back_up(&self, database: &str) -> anyhow::Result<()> {
        self.shut(database)?;
        self.psql("postgres", &format!("CREATE DATABASE {database}_then TEMPLATE {database}"))?;
        self.psql("postgres", &format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true"))?;
        Ok(())
    }

    pub(crate) fn restore(&self, database: &str) -> anyhow::Result<()> {
        self.shut(database)?;
        self.psql("postgres", &format!("DROP DATABASE {database} WITH (FORCE)"))?;
        self.psql("postgres", &format!("ALTER DATABASE {database}_then RENAME TO {database}"))?;
        Ok(())
    }

    /// Nobody is in it, and nobody comes in.
    fn shut(&self, database: &str) -> anyhow::Result<()> {
        self.psql("postgres", &format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false"))?;
        let those = format!("FROM pg_stat_activity WHERE datname = '{database}'");
        // Each within this many milliseconds.
        self.psql("postgres", &format!("SELECT pg_terminate_backend(pid, 5000) {those}"))?;
        Ok(())
    }
}
