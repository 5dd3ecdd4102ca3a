//! Certificates for one test, and clients that check them.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use super::{Client, TempFile, Wire};

/// An authority that signs certificates for servers and clients of one test.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, as files.
pub(crate) struct Certified {
    pub(crate) certificate: TempFile,
    pub(crate) key: TempFile,
    pub(crate) der: Vec<u8>,
    key_der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        // Another name than that of the certificates, or OpenSSL takes them for their own issuers.
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("an authority") }
    }

    /// The authority's own certificate as a file.
    pub(crate) fn file(&self) -> TempFile {
        TempFile::new("pem", pem("CERTIFICATE", self.issuer.der()))
    }

    /// A certificate for this host, or of this client.
    pub(crate) fn certify(&self, name: &str) -> Certified {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Certified {
            certificate: TempFile::new("pem", pem("CERTIFICATE", certificate.der())),
            key: TempFile::new("key", pem("PRIVATE KEY", &key.serialize_der())),
            der: certificate.der().to_vec(),
            key_der: key.serialize_der(),
        }
    }

    /// What a client needs that believes this authority, speaks this version, and perhaps has a certificate of its own.
    pub(crate) fn trust(
        &self,
        version: &'static SupportedProtocolVersion,
        own: Option<&Certified>,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a root");
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(&[version]).expect("a version").with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let key = PrivateKeyDer::try_from(own.key_der.clone()).expect("a key");
                builder.with_client_auth_cert(vec![own.der.clone().into()], key).expect("a certificate of a client")
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

impl Certified {
    /// The two lines of section `[tls]` that name the files.
    pub(crate) fn settings(&self) -> String {
        format!("[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", self.certificate.name(), self.key.name())
    }

    /// Another certificate and its key take their place in the same files.
    pub(crate) fn replace_by(&mut self, other: &Self) {
        for (ours, theirs) in [(&self.certificate, &other.certificate), (&self.key, &other.key)] {
            std::fs::copy(theirs.path(), ours.path()).expect("a file in the target directory");
        }
        self.der.clone_from(&other.der);
        self.key_der.clone_from(&other.key_der);
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(der))
}

/// A client that says nothing but what TLS says, when it is first written to or read from.
pub(crate) fn connect(server: SocketAddr, config: &Arc<ClientConfig>) -> Client {
    let stream = TcpStream::connect(server).unwrap_or_else(|error| panic!("no connection to {server}: {error}"));
    stream.set_nodelay(true).expect("TCP_NODELAY");
    over(stream, config)
}

/// As [`connect`], over a stream that is connected.
pub(crate) fn over(stream: TcpStream, config: &Arc<ClientConfig>) -> Client {
    let name = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(Arc::clone(config), name).expect("a session");
    Client::over(Wire::Tls(Box::new(StreamOwned::new(session, stream))), "localhost".to_owned())
}

/// The certificate with which that server introduces itself.
pub(crate) fn certificate_at(server: SocketAddr, config: &Arc<ClientConfig>) -> Vec<u8> {
    let mut client = connect(server, config);
    assert_eq!(client.request("GET", "/healthz", &[]).status, 200);
    let chain = client.wire().session().and_then(|session| session.peer_certificates());
    chain.and_then(|chain| chain.first()).expect("a certificate").to_vec()
}
