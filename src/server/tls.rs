//! What TLS listeners serve with: certificates and keys in PEM become one configuration for all sessions, which a reload
//! replaces. Sessions that exist keep the one they began with.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};

use crate::config::{ClientAuth, Tls};

/// Certificates, key, and whose certificates are asked for. Cloning it is cheap: all sessions share one.
#[derive(Debug, Clone)]
pub struct TlsConfig(pub(super) Arc<ServerConfig>);

/// How files are read: the content, or what is wrong with the file and its name.
pub type ReadFile<'a> = dyn FnMut(&Path) -> Result<Vec<u8>, Vec<String>> + 'a;

impl TlsConfig {
    /// Reads the files of section `[tls]`; `None` if it names no certificate.
    ///
    /// # Errors
    /// One line for each thing that is wrong, each with the name of its file.
    pub fn load(tls: &Tls, read: &mut ReadFile<'_>) -> Result<Option<Self>, Vec<String>> {
        let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) else { return Ok(None) };
        let chain = certificates(certificate, &read(certificate)?)?;
        let key_der = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(|error| wrong(key, &format!("holds no private key in PEM: {error}")))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| vec![format!("TLS: {error}")])?;
        let builder = match (&tls.client_ca, tls.client_auth) {
            (Some(path), ClientAuth::Optional | ClientAuth::Required) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(path, &read(path)?)? {
                    roots.add(authority).map_err(|error| wrong(path, &error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = match tls.client_auth {
                    ClientAuth::Required => verifier,
                    ClientAuth::None | ClientAuth::Optional => verifier.allow_unauthenticated(),
                };
                builder.with_client_cert_verifier(verifier.build().map_err(|error| wrong(path, &error.to_string()))?)
            }
            (None, ClientAuth::Optional | ClientAuth::Required) => {
                return Err(vec!["[tls] client_auth needs client_ca".to_owned()]);
            }
            (_, ClientAuth::None) => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key_der).map_err(|error| {
            let what = format!("does not go with {}: {error}", key.display());
            wrong(certificate, &what)
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Tickets hold a session for us, so nothing is kept for those who may come back.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(|error| vec![format!("TLS: {error}")])?;
        config.send_tls13_tickets = 1;
        Ok(Some(Self(Arc::new(config))))
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Vec<String>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => Err(wrong(path, "holds no certificate in PEM")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(wrong(path, &format!("is not PEM: {error}"))),
    }
}

fn wrong(path: &Path, what: &str) -> Vec<String> {
    vec![format!("{}: {what}", path.display())]
}
