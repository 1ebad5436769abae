//! An upstream behind TLS: reached if its certificate can be trusted, and never otherwise.

use super::upstream::each_connection;
use super::wire::{Answer, ask};
use super::world::{TOKEN, World};
use rcgen::generate_simple_self_signed;
use rescind_server::config;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Where a second run of a test finds the certificate that `SSL_CERT_FILE` tells it to trust, and
/// its key.
const TRUSTED: &str = "RESCIND_TEST_TRUSTED";

#[tokio::test]
async fn upstream_whose_certificate_nobody_vouches_for_is_502() {
    let pair = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let port = upstream(pair.cert.der().clone(), &pair.signing_key.serialize_der()).await.port();
    assert_eq!(ask_through(format!("https://localhost:{port}")).await.status, 502);
}

#[tokio::test]
async fn upstream_whose_certificate_is_trusted_for_its_name_is_reached() {
    let Ok(trusted) = std::env::var(TRUSTED) else { return run_again_trusting_a_certificate() };
    let read = |name: &str| std::fs::read(Path::new(&trusted).join(name)).unwrap();
    let port = upstream(read("certificate.der").into(), &read("key.der")).await.port();
    let answer = ask_through(format!("https://localhost:{port}")).await;
    assert_eq!((answer.status, answer.text()), (200, "safe"));
    // The certificate is for another name.
    assert_eq!(ask_through(format!("https://127.0.0.1:{port}")).await.status, 502);
}

/// What is trusted is read from the environment, which a process cannot safely change for itself.
fn run_again_trusting_a_certificate() {
    let pair = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let trusted = tempfile::tempdir().unwrap();
    let write =
        |name: &str, bytes: &[u8]| std::fs::write(trusted.path().join(name), bytes).unwrap();
    write("certificate.pem", pair.cert.pem().as_bytes());
    write("certificate.der", pair.cert.der());
    write("key.der", &pair.signing_key.serialize_der());
    let test = "gateway::tls::upstream_whose_certificate_is_trusted_for_its_name_is_reached";
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env("SSL_CERT_FILE", trusted.path().join("certificate.pem"))
        .env(TRUSTED, trusted.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && said.contains("1 passed"), "{said}");
}

async fn ask_through(upstream: String) -> Answer {
    let config = config::Gateway { upstream: Some(upstream), ..config::Gateway::default() };
    let world = World::with(&config).await;
    ask(world.address, format!("GET /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\n\r\n")).await
}

async fn upstream(certificate: CertificateDer<'static>, key: &[u8]) -> SocketAddr {
    let key = PrivateKeyDer::Pkcs8(key.to_vec().into());
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    each_connection(move |stream| {
        let accepting = acceptor.accept(stream);
        async move {
            let Ok(mut stream) = accepting.await else { return };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe").await.unwrap();
        }
    })
    .await
}
