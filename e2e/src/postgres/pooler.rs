//! PgBouncer between clients and the server.

use super::Postgres;
use anyhow::ensure;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

/// Where Debian puts it.
const PROGRAM: &str = "/usr/sbin/pgbouncer";
const READY_POLLS_MAX: u32 = 100;
const POLL: Duration = Duration::from_millis(50);

/// A running pooler. It ends when dropped.
pub struct Pooler {
    port: u16,
    process: Child,
}

impl Postgres {
    /// With `pool_mode` as PgBouncer has it.
    pub async fn pooled(&self, pool_mode: &str) -> anyhow::Result<Pooler> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let place = |name: &str| self.folder.path().join(format!("pgbouncer-{port}.{name}"));
        std::fs::write(place("users"), "\"rescind\" \"\"\n")?;
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\n\
             pool_mode = {pool_mode}\ndefault_pool_size = 60\nlogfile = {}\n",
            self.port,
            place("users").display(),
            place("log").display(),
        );
        std::fs::write(place("ini"), settings)?;
        let mut command = self.command_of(PROGRAM);
        command.arg("-q").arg(place("ini")).stdout(Stdio::null()).stderr(Stdio::null());
        let mut pooler = Pooler { port, process: command.spawn()? };
        for _ in 0..READY_POLLS_MAX {
            ensure!(pooler.process.try_wait()?.is_none(), "PgBouncer has ended");
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(pooler);
            }
            tokio::time::sleep(POLL).await;
        }
        anyhow::bail!("PgBouncer does not listen")
    }
}

impl Pooler {
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
