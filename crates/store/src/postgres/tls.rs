//! TLS to the database: the whole chain and the name are verified, or there is none.
//!
//! `sslmode=prefer`, which others take when nothing is said, lets whoever stands in the way turn
//! encryption off. Here it means `require`, and that means what libpq calls `verify-full`. Plain
//! text over TCP must be asked for with `sslmode=disable`; a Unix socket needs no encryption.

use super::error::{OpenError, Reason};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use rustls_platform_verifier::BuilderVerifierExt;
use std::{path::Path, sync::Arc};
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

pub(super) type Tls = MakeRustlsConnect;

/// The configuration with its mode made plain, and what TLS needs if there is any.
pub(super) fn of(
    mut config: Config,
    ca_file: Option<&Path>,
) -> Result<(Config, Option<Tls>), OpenError> {
    let local = config.get_hosts().iter().all(|host| !matches!(host, Host::Tcp(_)));
    if config.get_ssl_mode() == SslMode::Disable || local {
        config.ssl_mode(SslMode::Disable);
        return Ok((config, None));
    }
    config.ssl_mode(SslMode::Require);
    let tls = client(ca_file).map_err(OpenError::Tls)?;
    Ok((config, Some(MakeRustlsConnect::new(tls))))
}

/// Of the file's authorities alone, or of the system's.
fn client(ca_file: Option<&Path>) -> Result<ClientConfig, Reason> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Reason::new)?;
    let builder = match ca_file {
        None => builder.with_platform_verifier().map_err(Reason::new)?,
        Some(file) => builder.with_root_certificates(roots(file)?),
    };
    Ok(builder.with_no_client_auth())
}

fn roots(file: &Path) -> Result<RootCertStore, Reason> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(Reason::new)? {
        roots.add(certificate.map_err(Reason::new)?).map_err(Reason::new)?;
    }
    Ok(roots)
}
