//! TLS to the database: whoever stands in the way can neither listen nor turn it off.

use super::{
    scene::{Memory, options},
    server::Server,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rescind_store::postgres::{OpenError, Options, PostgresStore};
use std::{fs, path::PathBuf, sync::Arc};

/// A server whose certificate is `localhost`'s, and the files of two authorities: its own, and one
/// that has nothing to do with it.
struct Secured {
    server: Server,
    ours: PathBuf,
    theirs: PathBuf,
    _directory: tempfile::TempDir,
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

async fn secured() -> Secured {
    let server = Server::start();
    let (ours, theirs, key) = (authority(), authority(), KeyPair::generate().unwrap());
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ours).unwrap();
    let sql = server.client().await;
    // Written by the server itself, as its own user.
    for (file, text) in [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())] {
        let lines = text.lines().map(|line| format!("('{line}')")).collect::<Vec<_>>().join(",");
        let copy = format!(
            "COPY (SELECT * FROM (VALUES {lines}) AS lines) TO PROGRAM
             'umask 077; cat > {file}'"
        );
        sql.batch_execute(&copy).await.unwrap();
    }
    sql.batch_execute("ALTER SYSTEM SET ssl = on").await.unwrap();
    server.ctl(&["reload"]);
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, authority: &CertifiedIssuer<'static, KeyPair>| {
        let path = directory.path().join(name);
        fs::write(&path, authority.pem()).unwrap();
        path
    };
    let (ours, theirs) = (file("ours.pem", &ours), file("theirs.pem", &theirs));
    Secured { server, ours, theirs, _directory: directory }
}

impl Secured {
    async fn open(
        &self,
        host: &str,
        mode: &str,
        ca_file: Option<&PathBuf>,
    ) -> Result<PostgresStore, OpenError> {
        let port = self.server.port();
        let text = format!("host={host} hostaddr=127.0.0.1 port={port} user=postgres {mode}");
        let options = options(text, Arc::new(Memory::default()));
        PostgresStore::open(Options { ca_file: ca_file.cloned(), ..options }).await
    }
}

#[tokio::test]
async fn chain_and_name_are_verified_unless_plain_text_is_asked_for() {
    let secured = secured().await;
    let encrypted = async || {
        let sql = secured.server.client().await;
        let query = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE ssl AND application_name = 'rescind'";
        sql.query_one(query, &[]).await.unwrap().get::<_, i64>(0) > 0
    };
    for mode in ["", "sslmode=prefer", "sslmode=require"] {
        let open = async |host, ca| secured.open(host, mode, ca).await;
        let unknown = open("localhost", Some(&secured.theirs)).await;
        assert!(matches!(unknown, Err(OpenError::Unreachable(_))), "{mode}: {unknown:?}");
        let system = open("localhost", None).await;
        assert!(matches!(system, Err(OpenError::Unreachable(_))), "{mode}: {system:?}");
        let other = open("elsewhere", Some(&secured.ours)).await;
        assert!(matches!(other, Err(OpenError::Unreachable(_))), "{mode}: {other:?}");
        assert!(!encrypted().await);
        let store = open("localhost", Some(&secured.ours)).await.unwrap();
        assert!(encrypted().await, "{mode}");
        store.close().await.unwrap();
        drop(store);
        while encrypted().await {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    secured.open("localhost", "sslmode=disable", None).await.unwrap();
    assert!(!encrypted().await);
}

/// As it looks when somebody answers "no TLS here" in the server's place.
#[tokio::test]
async fn server_without_tls_is_refused_unless_plain_text_is_asked_for() {
    let server = Server::start();
    for mode in ["", "sslmode=prefer", "sslmode=require"] {
        let port = server.port();
        let text = format!("host=127.0.0.1 port={port} user=postgres {mode}");
        let refused = PostgresStore::open(options(text, Arc::new(Memory::default()))).await;
        assert!(matches!(refused, Err(OpenError::Unreachable(_))), "{mode}: {refused:?}");
    }
}
