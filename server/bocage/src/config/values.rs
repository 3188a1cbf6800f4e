//! Types of values that a configuration is made of and that the module API has no need of. Lists are read whole: every
//! element that is wrong is named, not the first one.

use bocage_api::config::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

/// Gives a type that is written as a string its line in the reference.
macro_rules! described {
    ($name:ident, $expected:literal) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $expected })
            }
        }
    };
}

/// So many attempts within a period: `"5/10m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// How many; never zero.
    pub count: u32,
    /// Within this time; never zero.
    pub within: Span,
}

impl FromStr for Attempts {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a number of attempts in a period, such as \"5/10m\"");
        let (count, within) = text.split_once('/').ok_or_else(wrong)?;
        let attempts = Self { count: count.parse().map_err(|_| wrong())?, within: within.parse().map_err(|_| wrong())? };
        if attempts.count == 0 || attempts.within.is_zero() { Err(wrong()) } else { Ok(attempts) }
    }
}
impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.within)
    }
}
impl Serialize for Attempts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Attempts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
described!(Attempts, "attempts in a period such as \"5/10m\"");

/// An address to listen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener(pub SocketAddr);

impl FromStr for Listener {
    type Err = String;
    /// `:5222` means every address of the machine.
    fn from_str(text: &str) -> Result<Self, String> {
        let any = text.strip_prefix(':').and_then(|port| port.parse().ok());
        let address = any.map(|port| SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port));
        let address = address.or_else(|| text.parse().ok()).filter(|a: &SocketAddr| a.port() != 0);
        address.map(Self).ok_or_else(|| format!("\"{text}\" is not an address with a port"))
    }
}
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
described!(Listener, "an address with a port such as \"[::]:5222\" or \"127.0.0.1:5222\"");

/// A name server; port 53 unless said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameServer(pub SocketAddr);

impl FromStr for NameServer {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let address = text.parse().or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)));
        address.map(Self).map_err(|_| format!("\"{text}\" is not the address of a name server"))
    }
}
impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
described!(NameServer, "an address such as \"127.0.0.1:53\" or \"[::1]:53\"");

/// Reads and writes a list of values that are strings in the file.
pub(crate) mod list {
    use super::*;

    pub(crate) fn serialize<T: fmt::Display, S: Serializer>(list: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(ToString::to_string))
    }

    /// # Errors
    /// All elements that are wrong, in one text.
    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
    where
        T: FromStr<Err: fmt::Display>,
        D: Deserializer<'de>,
    {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let (good, bad): (Vec<_>, Vec<_>) = texts.iter().map(|text| text.parse::<T>()).partition(Result::is_ok);
        let bad: Vec<String> = bad.into_iter().filter_map(Result::err).map(|e| e.to_string()).collect();
        if bad.is_empty() {
            Ok(good.into_iter().filter_map(Result::ok).collect())
        } else {
            Err(de::Error::custom(bad.join("; ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_a_count_and_a_period() {
        assert_eq!("5/10m".parse::<Attempts>(), Ok(Attempts { count: 5, within: Span::seconds(600) }));
        for text in ["", "5", "5/", "/10m", "0/10m", "5/0s", "-1/10m", "5/10"] {
            assert!(text.parse::<Attempts>().is_err(), "{text}");
        }
    }

    #[test]
    fn listeners_need_a_port_and_may_leave_out_the_address() {
        assert_eq!(":443".parse::<Listener>().unwrap().to_string(), "[::]:443");
        assert_eq!("127.0.0.1:5222".parse::<Listener>().unwrap().to_string(), "127.0.0.1:5222");
        for text in ["", ":", ":0", "5222", "localhost:5222", "[::]", "::1:5222 ", "127.0.0.1:70000"] {
            assert!(text.parse::<Listener>().is_err(), "{text}");
        }
        assert_eq!("::1".parse::<NameServer>().unwrap().to_string(), "[::1]:53");
    }
}
