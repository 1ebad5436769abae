//! Who is at the other end: a certificate whose digest stands in a member row.
//!
//! The usual way, an authority that signs names, would make every operator run one. Here names prove
//! nothing: a certificate is signed by itself, lives as long as its process, and is known by its
//! digest or not at all. What TLS has to show is that the other end holds the key that belongs to it.

use super::Known;
use rcgen::{CertificateParams, KeyPair};
use rescind_core::Digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, CommonState, DigitallySignedStruct, DistinguishedName, Error,
    PeerIncompatible, ServerConfig, SignatureScheme,
};
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::sync::{Notify, watch};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// SHA-256 of a certificate (DER).
pub(super) type Fingerprint = [u8; 32];

/// What is spoken inside. Another version would have another name.
const PROTOCOL: &[u8] = b"rescind-peer/1";
/// Stands in the certificate; nobody looks at it.
const NAME: &str = "rescind";

/// This process's own.
pub(super) struct Certificate {
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl Certificate {
    pub(super) fn new() -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let parameters = CertificateParams::new([NAME.into()]).map_err(io::Error::other)?;
        let signed = parameters.self_signed(&key).map_err(io::Error::other)?;
        Ok(Self { der: signed.into(), key })
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.der)
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        *self.digest().as_bytes()
    }

    /// Both ends of a connection: each shows its certificate, and asks for the other's.
    pub(super) fn tls(
        &self,
        known: &Arc<watch::Sender<Known>>,
        stranger: &Arc<Notify>,
    ) -> io::Result<(TlsAcceptor, TlsConnector)> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Arc::new(Verifier {
            known: Arc::clone(known),
            stranger: Arc::clone(stranger),
            provider: Arc::clone(&provider),
        });
        let key = || PrivateKeyDer::try_from(self.key.serialize_der()).map_err(io::Error::other);
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?
            .with_client_cert_verifier(Arc::clone(&verifier) as Arc<dyn ClientCertVerifier>)
            .with_single_cert(vec![self.der.clone()], key()?)
            .map_err(io::Error::other)?;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_auth_cert(vec![self.der.clone()], key()?)
            .map_err(io::Error::other)?;
        server.alpn_protocols = vec![PROTOCOL.into()];
        client.alpn_protocols = vec![PROTOCOL.into()];
        // Each connection is to prove everything anew.
        server.send_tls13_tickets = 0;
        client.resumption = rustls::client::Resumption::disabled();
        Ok((TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client))))
    }
}

/// TLS wants to know whom it is about. Nobody looks at it, and an address is not sent.
pub(super) fn name() -> ServerName<'static> {
    ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into())
}

/// Whose certificate the other end has proved to hold the key of.
pub(super) fn of_peer(connection: &CommonState) -> io::Result<Fingerprint> {
    let shown = connection.peer_certificates().and_then(<[_]>::first);
    let shown = shown.ok_or_else(|| io::Error::other("no certificate was shown"))?;
    match connection.alpn_protocol() {
        Some(PROTOCOL) => Ok(*Digest::of(shown).as_bytes()),
        _ => Err(io::Error::other("another protocol is spoken there")),
    }
}

/// Knows whoever stands in a row.
#[derive(Debug)]
struct Verifier {
    known: Arc<watch::Sender<Known>>,
    stranger: Arc<Notify>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn knows(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        if self.known.borrow().contains_key(Digest::of(shown).as_bytes()) {
            return Ok(());
        }
        self.stranger.notify_one();
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }

    fn holds_key(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, shown, signed, algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn tls_1_3_only<T>() -> Result<T, Error> {
    Err(Error::PeerIncompatible(PeerIncompatible::Tls13RequiredForQuic))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.knows(shown).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls_1_3_only()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.holds_key(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.knows(shown).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls_1_3_only()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.holds_key(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
