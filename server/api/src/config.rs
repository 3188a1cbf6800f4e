//! Values of the configuration that TOML has no type for. They are strings with a unit, never bare numbers: `"30"` of
//! what?
//!
//! Reading accepts an optional space before the unit; writing always gives the canonical form, so that a value that was
//! read and written twice is the same text.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt, marker::PhantomData, str::FromStr, time::Duration};

/// Settings of a module that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoSettings {}

/// A period: `"30s"`, `"15m"`, `"24h"`, `"7d"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

/// A number of bytes: `"512 B"`, `"256 KiB"`, `"20 MiB"`, `"1 GiB"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// Bytes per second, `"20 KiB/s"`, or `"off"` for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rate {
    /// No limit.
    Off,
    /// At most so much in a second; never zero.
    PerSecond(Size),
}

/// Why a text is none of these values; the operator reads it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ValueError {
    /// Not a duration.
    #[error("\"{0}\" is not a duration: write a whole number and s, m, h or d, such as \"30s\" or \"7d\"")]
    Span(String),
    /// Not a size.
    #[error("\"{0}\" is not a size: write a whole number and B, KiB, MiB or GiB, such as \"256 KiB\"")]
    Size(String),
    /// Not a rate.
    #[error("\"{0}\" is not a rate: write a size per second, such as \"20 KiB/s\", or \"off\"")]
    Rate(String),
    /// A rate that lets nothing through.
    #[error("\"{0}\" would let nothing through: write \"off\" for no limit")]
    ZeroRate(String),
}

const SPANS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// `number`, perhaps spaces, `unit`, in the smallest unit. `None` for all else, overflow included.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start_matches(' '))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// The largest unit that divides `value`, and how many of it.
fn largest<'a>(value: u64, units: &[(&'a str, u64)], smallest: &'a str) -> (u64, &'a str) {
    let fits = |(_, factor): &&(&str, u64)| value != 0 && value.is_multiple_of(*factor);
    units.iter().find(fits).map_or((value, smallest), |(name, factor)| (value / factor, name))
}

impl Span {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds)
    }
    /// So many days of 24 hours.
    pub const fn days(days: u32) -> Self {
        Self(days as u64 * 86_400)
    }
    /// For calculations.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
    /// In whole seconds.
    pub const fn as_secs(self) -> u64 {
        self.0
    }
    /// Is it `"0s"`?
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}
impl Size {
    /// So many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }
    /// So many KiB.
    pub const fn kib(kib: u32) -> Self {
        Self((kib as u64) << 10)
    }
    /// So many MiB.
    pub const fn mib(mib: u32) -> Self {
        Self((mib as u64) << 20)
    }
    /// In bytes.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
    /// In bytes, as lengths are counted; saturates where an address space is smaller.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}
impl Rate {
    /// So many KiB in a second.
    pub const fn kib(kib: u32) -> Self {
        Self::PerSecond(Size::kib(kib))
    }
    /// Bytes in a second; `None` = no limit.
    pub const fn bytes_per_second(self) -> Option<u64> {
        match self {
            Self::Off => None,
            Self::PerSecond(size) => Some(size.as_u64()),
        }
    }
}

impl FromStr for Span {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        parse(text, &SPANS).map(Self).ok_or_else(|| ValueError::Span(text.to_owned()))
    }
}
impl FromStr for Size {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        parse(text, &SIZES).map(Self).ok_or_else(|| ValueError::Size(text.to_owned()))
    }
}
impl FromStr for Rate {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text == "off" {
            return Ok(Self::Off);
        }
        match text.strip_suffix("/s").and_then(|size| parse(size, &SIZES)) {
            None => Err(ValueError::Rate(text.to_owned())),
            Some(0) => Err(ValueError::ZeroRate(text.to_owned())),
            Some(bytes) => Ok(Self::PerSecond(Size(bytes))),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = largest(self.0, &SPANS, "s");
        write!(f, "{number}{unit}")
    }
}
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = largest(self.0, &SIZES, "B");
        write!(f, "{number} {unit}")
    }
}
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::PerSecond(size) => write!(f, "{size}/s"),
        }
    }
}

/// Reads a value from a string and from nothing else; says what was expected in the type's own words.
struct TextVisitor<T>(&'static str, PhantomData<T>);
impl<T: FromStr<Err = ValueError>> de::Visitor<'_> for TextVisitor<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! text_value {
    ($name:ident, $expected:literal, $pattern:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextVisitor($expected, PhantomData))
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $expected, "pattern": $pattern })
            }
        }
    };
}
text_value!(Span, "a duration such as \"30s\", \"15m\", \"24h\" or \"7d\"", "^[0-9]+ *[smhd]$");
text_value!(Size, "a size such as \"512 B\", \"256 KiB\" or \"20 MiB\"", "^[0-9]+ *([KMG]i)?B$");
text_value!(Rate, "a rate such as \"20 KiB/s\", or \"off\"", "^(off|[0-9]+ *([KMG]i)?B/s)$");

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Debug;

    fn round<T: FromStr<Err = ValueError> + fmt::Display + Debug + PartialEq>(text: &str) -> String {
        let value: T = text.parse().unwrap();
        assert_eq!(value.to_string().parse::<T>().unwrap(), value);
        value.to_string()
    }

    #[test]
    fn values_are_written_in_their_largest_unit() {
        assert_eq!(round::<Span>("0s"), "0s");
        assert_eq!(round::<Span>("0d"), "0s");
        assert_eq!(round::<Span>("90s"), "90s");
        assert_eq!(round::<Span>("3600s"), "1h");
        assert_eq!(round::<Span>("24 h"), "1d");
        assert_eq!(round::<Size>("256KiB"), "256 KiB");
        assert_eq!(round::<Size>("1048576 B"), "1 MiB");
        assert_eq!(round::<Size>("1000 B"), "1000 B");
        assert_eq!(round::<Rate>("20 KiB/s"), "20 KiB/s");
        assert_eq!(round::<Rate>("off"), "off");
    }

    #[test]
    fn all_else_is_refused_by_a_text_that_shows_the_right_form() {
        for text in
            ["", "s", "30", "-1s", "1.5h", "7 days", "7D", "30s ", " 30s", "99999999999999999999s", "9999999999999999999d"]
        {
            assert_eq!(text.parse::<Span>(), Err(ValueError::Span(text.to_owned())));
        }
        for text in ["", "256", "256 kB", "256 KB", "KiB", "1e3 B", "99999999999999999 GiB"] {
            assert_eq!(text.parse::<Size>(), Err(ValueError::Size(text.to_owned())));
        }
        for text in ["", "20 KiB", "20 KiB/m", "Off", "no"] {
            assert_eq!(text.parse::<Rate>(), Err(ValueError::Rate(text.to_owned())));
        }
        assert_eq!(
            "7 days".parse::<Span>().unwrap_err().to_string(),
            "\"7 days\" is not a duration: write a whole number and s, m, h or d, such as \"30s\" or \"7d\""
        );
        let zero = "0 KiB/s".parse::<Rate>().unwrap_err().to_string();
        assert_eq!(zero, "\"0 KiB/s\" would let nothing through: write \"off\" for no limit");
    }

    #[test]
    fn a_number_without_unit_is_a_type_error_in_our_words() {
        let error = serde_json::from_str::<Span>("30").unwrap_err().to_string();
        assert!(error.contains("expected a duration such as"), "{error}");
        assert_eq!(serde_json::to_string(&Size::kib(256)).unwrap(), "\"256 KiB\"");
        assert_eq!(serde_json::from_str::<Rate>("\"off\"").unwrap(), Rate::Off);
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics_and_what_was_read_is_stable(text in "[0-9]{0,21} {0,2}[a-zA-Z/]{0,5}|.{0,12}") {
            if let Ok(value) = text.parse::<Span>() { proptest::prop_assert_eq!(value.to_string().parse::<Span>(), Ok(value)); }
            if let Ok(value) = text.parse::<Size>() { proptest::prop_assert_eq!(value.to_string().parse::<Size>(), Ok(value)); }
            if let Ok(value) = text.parse::<Rate>() { proptest::prop_assert_eq!(value.to_string().parse::<Rate>(), Ok(value)); }
        }
    }
}
