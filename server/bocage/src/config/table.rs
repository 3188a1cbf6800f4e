//! Reads one table into its type, key by key, so that every mistake of it is seen: serde alone stops at the first. The
//! defaults are the base, each key is tried on top of it, and a key that does not fit is reported and left out.

use super::mistakes::{Collector, shown};
use crate::reference::type_of_key;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use toml::{Table, Value};

/// What a table can be read into.
pub(crate) trait Section: Default + DeserializeOwned + Serialize + JsonSchema {}
impl<T: Default + DeserializeOwned + Serialize + JsonSchema> Section for T {}

/// The defaults of `T` as a table; empty for a `T` without keys.
pub(crate) fn defaults<T: Section>() -> Table {
    Table::try_from(T::default()).unwrap_or_default()
}

/// All keys of `T`, those without default included.
pub(crate) fn keys<T: Section>() -> Vec<String> {
    let schema = schemars::schema_for!(T);
    let properties = schema.get("properties").and_then(|p| p.as_object());
    properties.map(|p| p.keys().cloned().collect()).unwrap_or_default()
}

/// Reads `given`, called `path` in the file. What is wrong is in `at`; the value has defaults in those places.
pub(crate) fn read<T: Section>(path: &str, given: &Table, at: &mut Collector) -> (T, Table) {
    let known = keys::<T>();
    let mut base = defaults::<T>();
    for (key, value) in given {
        if !known.iter().any(|k| k == key) {
            at.unknown(path, key, &known);
            continue;
        }
        let value = coerced(path, key, value, (base.get(key), at));
        let mut candidate = base.clone();
        candidate.insert(key.clone(), value.clone());
        match attempt::<T>(&candidate) {
            Ok((_, ignored)) if ignored.is_empty() => base = candidate,
            Ok((_, ignored)) => ignored.iter().for_each(|inner| inner_unknown(path, inner, at)),
            Err(cause) => {
                let allowed = type_of_key::<T>(key);
                at.wrong(path, key, wrong_value(&shown(path, key, &value), &cause, &allowed));
            }
        }
    }
    let value = attempt::<T>(&base).map(|(value, _)| value).unwrap_or_default();
    (value, base)
}

/// One try, with the paths that no field took.
fn attempt<T: Section>(table: &Table) -> Result<(T, Vec<String>), String> {
    let mut ignored = Vec::new();
    let note = |path: serde_ignored::Path<'_>| ignored.push(path.to_string());
    if table.is_empty() {
        return Ok((T::default(), ignored));
    }
    let value = serde_ignored::deserialize::<_, _, T>(table.clone(), note).map_err(|e| e.message().to_owned())?;
    Ok((value, ignored))
}

fn inner_unknown(path: &str, inner: &str, at: &mut Collector) {
    let (table, key) = inner.rsplit_once('.').unwrap_or(("", inner));
    at.unknown(format!("{path}.{table}").trim_matches('.'), key, &[]);
}

/// Environment variables are texts: they become what the default is.
fn coerced(path: &str, key: &str, value: &Value, (default, at): (Option<&Value>, &Collector)) -> Value {
    let full = format!("{path}.{key}");
    let (Value::String(text), true) = (value, at.is_variable(full.trim_matches('.'))) else { return value.clone() };
    match default {
        Some(Value::Boolean(_)) => text.parse().map_or_else(|_| value.clone(), Value::Boolean),
        Some(Value::Integer(_)) => text.parse().map_or_else(|_| value.clone(), Value::Integer),
        Some(Value::Array(_)) => Value::Array(list_of(text)),
        _ => value.clone(),
    }
}

/// A list as TOML writes it, or texts between commas.
fn list_of(text: &str) -> Vec<Value> {
    let toml = format!("list = {text}").parse::<Table>().ok().and_then(|mut t| t.remove("list"));
    match toml {
        Some(Value::Array(list)) => list,
        _ => text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(|t| Value::String(t.to_owned())).collect(),
    }
}

/// Serde's words for a wrong type are replaced by ours; texts of our own types are kept.
fn wrong_value(found: &str, cause: &str, allowed: &str) -> String {
    const SERDE: [&str; 5] = ["invalid type", "invalid value", "unknown variant", "invalid length", "expected"];
    if SERDE.iter().any(|start| cause.starts_with(start)) {
        format!("found {found}; allowed: {allowed}")
    } else {
        format!("found {found}; allowed: {allowed} ({cause})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq)]
    #[serde(default)]
    struct Sample {
        /// A number.
        size: u16,
        /// Some texts.
        names: Vec<String>,
        /// Yes or no.
        on: bool,
    }
    impl Default for Sample {
        fn default() -> Self {
            Self { size: 7, names: Vec::new(), on: true }
        }
    }

    fn read_text(text: &str, variables: &[(&str, &str)]) -> (Sample, String) {
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut at = Collector::new("f", variables);
        let (value, _) = read("t", &text.parse().unwrap(), &mut at);
        (value, at.finish(()).err().map(|m| m.to_string()).unwrap_or_default())
    }

    #[test]
    fn every_key_is_tried_and_the_good_ones_are_kept() {
        let (value, mistakes) = read_text("size = -1\nnames = [1]\non = false\nnam = 1\nzzzzzz = 2", &[]);
        assert_eq!(value, Sample { on: false, ..Sample::default() });
        assert_eq!(mistakes.lines().count(), 4, "{mistakes}");
        assert!(mistakes.contains("f: [t] size: found -1; allowed: a whole number"), "{mistakes}");
        assert!(mistakes.contains("f: [t] nam: is not known, did you mean \"names\"?"), "{mistakes}");
        assert!(mistakes.contains("zzzzzz: is not known (allowed here:"), "{mistakes}");
    }

    #[test]
    fn variables_take_the_type_of_the_key() {
        let all = [("t.size", "A"), ("t.names", "B"), ("t.on", "C")];
        let (value, mistakes) = read_text("size = \"9\"\nnames = \"a, b\"\non = \"false\"", &all);
        assert_eq!((value, mistakes.as_str()), (Sample { size: 9, names: vec!["a".into(), "b".into()], on: false }, ""));
        let (value, _) = read_text("names = '[\"x\"]'", &all);
        assert_eq!(value.names, ["x"]);
        let (_, mistakes) = read_text("size = \"9\"", &[]);
        assert!(mistakes.contains("found \"9\""), "a text in a file is no number: {mistakes}");
    }
}
