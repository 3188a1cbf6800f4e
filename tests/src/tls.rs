//! Direct TLS to a test's server: the certificate is the one that the test made, and no other.

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{fmt, net::SocketAddr, path::Path, sync::Arc};
use tokio::{io::BufStream, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_xmpp::{
    Error,
    connect::ServerConnector,
    jid::Jid,
    xmlstream::{PendingFeaturesRecv, StreamHeader, Timeouts, initiate_stream},
};

/// Connects to one address, over TLS from the first byte.
#[derive(Clone)]
pub struct Direct {
    /// Where.
    pub address: SocketAddr,
    config: Arc<ClientConfig>,
    binds: bool,
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Direct")
    }
}

impl Direct {
    /// Trusts the certificate in `file` alone.
    #[must_use]
    pub fn new(address: SocketAddr, file: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(bocage_tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { address, config: Arc::new(config), binds: true }
    }
    /// Logs in without a channel binding: ejabberd 23 takes only one that TLS 1.3 does not have.
    #[must_use]
    pub fn without_binding(self) -> Self {
        Self { binds: false, ..self }
    }
    /// A TLS connection.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn tls(&self, domain: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(domain.to_owned()).unwrap();
        TlsConnector::from(self.config.clone()).connect(name, tcp).await
    }
}

impl ServerConnector for Direct {
    type Stream = BufStream<TlsStream<TcpStream>>;

    async fn connect(
        &self,
        jid: &Jid,
        ns: &'static str,
        timeouts: Timeouts,
    ) -> Result<(PendingFeaturesRecv<Self::Stream>, sasl::common::ChannelBinding), Error> {
        let domain = jid.domain().as_str();
        let stream = self.tls(domain).await?;
        let exported = stream.get_ref().1.export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(b""));
        let binding = match self.binds {
            true => sasl::common::ChannelBinding::TlsExporter(exported.expect("the exporter exports")),
            false => sasl::common::ChannelBinding::None,
        };
        let header = StreamHeader { to: Some(domain.into()), from: None, id: None };
        Ok((initiate_stream(BufStream::new(stream), ns, header, timeouts).await?, binding))
    }
}
