//! Channel bindings of the TLS connection. `tls-unique` is not among them: TLS 1.3 has none (RFC 9266).

use core::fmt;

use minidom::{Element, rxml::xml_ncname};

use crate::ns;

/// A channel binding type (IANA registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindingType {
    /// RFC 9266.
    TlsExporter,
    /// RFC 5929 section 4.
    TlsServerEndPoint,
}

impl BindingType {
    const ALL: [Self; 2] = [Self::TlsExporter, Self::TlsServerEndPoint];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TlsExporter => "tls-exporter",
            Self::TlsServerEndPoint => "tls-server-end-point",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|binding| binding.name() == name)
    }
}

/// The version of the TLS connection, told to the client inside the signed part of SCRAM (XEP-0515).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl TlsVersion {
    /// The attribute `t` of XEP-0515: the version number as four hexadecimal digits.
    pub(crate) const fn hex(self) -> &'static str {
        match self {
            Self::V1_2 => "0303",
            Self::V1_3 => "0304",
        }
    }
}

/// The binding data of this connection; a type without data is neither offered nor accepted.
#[derive(Clone, Default)]
pub struct Bindings {
    /// Keying material under the label `EXPORTER-Channel-Binding`, 32 bytes (RFC 9266).
    pub exporter: Option<Vec<u8>>,
    /// The hash of the server's certificate (RFC 5929 section 4.1).
    pub server_end_point: Option<Vec<u8>>,
}

impl Bindings {
    /// The data of one type.
    pub fn data(&self, binding: BindingType) -> Option<&[u8]> {
        match binding {
            BindingType::TlsExporter => self.exporter.as_deref(),
            BindingType::TlsServerEndPoint => self.server_end_point.as_deref(),
        }
    }

    /// The types that can be used.
    pub fn types(&self) -> impl Iterator<Item = BindingType> {
        BindingType::ALL.into_iter().filter(|binding| self.data(*binding).is_some())
    }

    /// Whether there is nothing to bind to, so that no `-PLUS` mechanism can be offered.
    pub fn is_empty(&self) -> bool {
        self.types().next().is_none()
    }

    /// The stream feature of XEP-0440; it must not be sent empty.
    pub fn feature(&self) -> Option<Element> {
        let types = self.types().map(|binding| {
            Element::builder("channel-binding", ns::SASL_CB).attr(xml_ncname!("type").into(), binding.name()).build()
        });
        (!self.is_empty()).then(|| Element::builder("sasl-channel-binding", ns::SASL_CB).append_all(types).build())
    }
}

impl fmt::Debug for Bindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.types()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feature_lists_what_can_be_used_and_is_never_empty() {
        let bindings = Bindings { exporter: Some(vec![1]), server_end_point: Some(vec![2]) };
        let expected: Element = "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>\
            <channel-binding type='tls-exporter'/><channel-binding type='tls-server-end-point'/></sasl-channel-binding>"
            .parse()
            .unwrap();
        assert_eq!(bindings.feature(), Some(expected));
        assert_eq!(Bindings::default().feature(), None);
        assert_eq!(format!("{bindings:?}"), "[TlsExporter, TlsServerEndPoint]");
    }
}
