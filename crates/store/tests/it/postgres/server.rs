//! A server that one test has to itself: to restart, and to set as it likes.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
};
use tokio_postgres::{Client, NoTls};

pub(crate) struct Server {
    pub(crate) text: String,
    ctl: PathBuf,
    child: Child,
    /// Until this is closed.
    until: Option<ChildStdin>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let run = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../e2e/postgres/run");
        let script = "echo $RESCIND_TEST_POSTGRES; echo $RESCIND_TEST_POSTGRES_CTL; read -r _ || :";
        let mut child = Command::new(run)
            .args(["bash", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let text = lines.next().unwrap().unwrap();
        let ctl = lines.next().unwrap().unwrap().into();
        let until = child.stdin.take();
        Self { text, ctl, child, until }
    }

    pub(crate) fn port(&self) -> &str {
        self.text.split("port=").nth(1).unwrap().split(' ').next().unwrap()
    }

    /// `pg_ctl`.
    pub(crate) fn ctl(&self, arguments: &[&str]) {
        let done = Command::new(&self.ctl).args(arguments).stdout(Stdio::null()).status().unwrap();
        assert!(done.success(), "{arguments:?}");
    }

    pub(crate) fn stop(&self) {
        self.ctl(&["-m", "immediate", "stop"]);
    }

    /// After [`Server::stop`], at the same place.
    pub(crate) fn start_again(&self) {
        let (port, socket) = (self.port(), self.ctl.parent().unwrap().display());
        let set = format!("-p {port} -k {socket} -c listen_addresses=127.0.0.1");
        self.ctl(&["-o", &set, "start"]);
    }

    pub(crate) async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.text, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.until.take());
        let _ = self.child.wait();
    }
}
