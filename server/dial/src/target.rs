//! What is known about a place where a peer can be reached. [`Dane`] has no "unknown": what could not be found out is
//! bogus.

/// How TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// After `<starttls/>` (RFC 6120, section 5).
    Starttls,
    /// With the first byte (XEP-0368).
    DirectTls,
}

/// A place to try.
#[derive(Clone, Debug)]
pub struct Target {
    /// Host name as A-labels, or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How TLS begins there.
    pub mode: Mode,
    /// What DNS says about its certificate.
    pub dane: Dane,
}

/// What DNSSEC says about certificates (RFC 7673).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dane {
    /// Provably nothing, or the way there is provably unsigned.
    Absent,
    /// Something that does not verify, or that could not be asked for.
    Bogus,
    /// Records that verify.
    Secure(DaneSet),
}

/// Verified records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaneSet {
    /// The records.
    pub records: Vec<Tlsa>,
    /// Hosts that secure SRV records name: reference identifiers beside the domain (RFC 7673, section 4).
    pub names: Vec<String>,
}

/// One record (RFC 6698, section 2.1); unknown numbers are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    /// Certificate usage.
    pub usage: u8,
    /// Selector.
    pub selector: u8,
    /// Matching type.
    pub matching: u8,
    /// Certificate association data.
    pub data: Vec<u8>,
}

/// Why a peer cannot be reached. Says nothing about which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// There is no such server.
    #[error("no such server")]
    NotFound,
    /// Nobody listens, or the network says no.
    #[error("connection refused")]
    Refused,
    /// No answer in time, from the server or from the name servers.
    #[error("no answer in time")]
    TimedOut,
    /// DNSSEC validation failed.
    #[error("DNSSEC validation failed")]
    Bogus,
    /// The proxy failed.
    #[error("the proxy failed")]
    Proxy,
}
