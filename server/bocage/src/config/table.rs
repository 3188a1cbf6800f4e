//! Reads one table into its type, key by key, so that every mistake of it is seen: serde alone stops at the first. The
//! defaults are the base, each key is tried on top of it, and a key that does not fit is reported and left out.

use super::mistakes::{Collector, shown};
use crate::schema::Shape;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use std::marker::PhantomData;
use toml::{Table, Value};

/// What a table can be read into.
pub(crate) trait Section: Default + DeserializeOwned + Serialize + JsonSchema {}
impl<T: Default + DeserializeOwned + Serialize + JsonSchema> Section for T {}

/// Reads `given`, called `path` in the file. What is wrong is in `at`; the value has defaults in those places. The table
/// beside it is complete.
pub(crate) fn read<T: Section>(path: &str, given: &Table, at: &mut Collector) -> (T, Table) {
    let base = Table::try_from(T::default()).unwrap_or_default();
    let mut reader = Reader::<T> { path, shape: Shape::of::<T>(), base, at, of: PhantomData };
    reader.walk(&[], given);
    let base = reader.base;
    let value = attempt::<T>(&base).map(|(value, _)| value).unwrap_or_default();
    (value, base)
}

struct Reader<'a, T> {
    path: &'a str,
    shape: Shape,
    base: Table,
    at: &'a mut Collector,
    of: PhantomData<T>,
}

impl<T: Section> Reader<'_, T> {
    /// Tries each key of the table at `inner`.
    fn walk(&mut self, inner: &[String], given: &Table) {
        let known = self.shape.keys(inner);
        for (key, value) in given {
            let path = [inner, std::slice::from_ref(key)].concat();
            match value {
                _ if !known.contains(key) => self.at.unknown(&self.name(inner), key, &known),
                // A map has no keys of its own: it is tried whole.
                Value::Table(table) if self.is_section(&path) => self.walk(&path, table),
                _ => self.try_key(&path, value),
            }
        }
    }

    fn is_section(&self, path: &[String]) -> bool {
        lookup(&self.base, path).is_some_and(Value::is_table) && !self.shape.keys(path).is_empty()
    }

    fn try_key(&mut self, path: &[String], value: &Value) {
        let Some((key, inner)) = path.split_last() else { return };
        let table = self.name(inner);
        let full = if table.is_empty() { key.clone() } else { format!("{table}.{key}") };
        let value = if self.at.is_variable(&full) { coerced(value, lookup(&self.base, path)) } else { value.clone() };
        let mut candidate = self.base.clone();
        put(&mut candidate, path, value.clone());
        match attempt_at::<T>(&candidate, &value) {
            Ok((_, ignored)) if ignored.is_empty() => self.base = candidate,
            Ok((_, ignored)) => ignored.iter().for_each(|inner| self.deep_unknown(inner)),
            Err(cause) => {
                let found = (shown(&table, key, &value), value.is_array());
                self.at.wrong(&table, key, wrong_value((&found.0, found.1), &cause, &self.shape.allowed(path)));
            }
        }
    }

    /// The table at `inner`, as the file calls it.
    fn name(&self, inner: &[String]) -> String {
        let inner = inner.join(".");
        format!("{}.{inner}", self.path).trim_matches('.').to_owned()
    }

    /// Of a table inside a list: its keys are not in the base.
    fn deep_unknown(&mut self, path: &str) {
        let (table, key) = path.rsplit_once('.').unwrap_or(("", path));
        self.at.unknown(&self.name(&[table.to_owned()]), key, &[]);
    }
}

fn lookup<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (key, rest) = path.split_first()?;
    let value = table.get(key)?;
    if rest.is_empty() { Some(value) } else { lookup(value.as_table()?, rest) }
}

fn put(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => _ = table.insert(key.clone(), value),
        [key, rest @ ..] => {
            if let Some(inner) = table.get_mut(key).and_then(Value::as_table_mut) {
                put(inner, rest, value);
            }
        }
    }
}

/// TOML's times would be taken for texts; no key wants one.
fn attempt_at<T: Section>(table: &Table, value: &Value) -> Result<(T, Vec<String>), String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if value.is_datetime() || list.iter().any(Value::is_datetime) {
        return Err("invalid type: a time".to_owned());
    }
    attempt(table)
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

/// Environment variables are texts: they become what the default is.
fn coerced(value: &Value, default: Option<&Value>) -> Value {
    let Value::String(text) = value else { return value.clone() };
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

/// Serde's words for a wrong type are replaced by ours, and so are texts that only repeat what is allowed; of a list they
/// say which elements are wrong.
fn wrong_value((found, list): (&str, bool), cause: &str, allowed: &str) -> String {
    const SERDE: [&str; 5] = ["invalid type", "invalid value", "unknown variant", "invalid length", "expected"];
    let says_nothing_new = SERDE.iter().any(|start| cause.starts_with(start)) || (!list && cause.contains("\" is not a"));
    if says_nothing_new {
        format!("found {found}; allowed: {allowed}")
    } else {
        format!("found {found}; allowed: {allowed} ({cause})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, PartialEq)]
    #[serde(default)]
    struct Inner {
        /// One.
        one: u8,
        /// Two.
        two: String,
    }
    #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq)]
    #[serde(default)]
    struct Sample {
        /// A table.
        inner: Inner,
        /// A number.
        size: u16,
        /// Some texts.
        names: Vec<String>,
        /// Yes or no.
        on: bool,
    }
    impl Default for Sample {
        fn default() -> Self {
            Self { inner: Inner::default(), size: 7, names: Vec::new(), on: true }
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
    fn tables_inside_are_read_key_by_key_too() {
        let (value, mistakes) = read_text("[inner]\none = 300\ntwo = \"x\"\nthree = 1", &[]);
        assert_eq!(value.inner, Inner { one: 0, two: "x".into() });
        assert!(mistakes.contains("f: [t.inner] one: found 300; allowed: a whole number"), "{mistakes}");
        assert!(mistakes.contains("f: [t.inner] three: is not known"), "{mistakes}");
        let (_, mistakes) = read_text("inner = 1", &[("t.inner.one", "A")]);
        assert_eq!(mistakes, "f: [t] inner: found 1; allowed: a table");
    }

    #[test]
    fn variables_take_the_type_of_the_key() {
        let all = [("t.size", "A"), ("t.names", "B"), ("t.on", "C")];
        let (value, mistakes) = read_text("size = \"9\"\nnames = \"a, b\"\non = \"false\"", &all);
        let expected = Sample { size: 9, names: vec!["a".into(), "b".into()], on: false, ..Sample::default() };
        assert_eq!((value, mistakes.as_str()), (expected, ""));
        let (value, _) = read_text("names = '[\"x\"]'", &all);
        assert_eq!(value.names, ["x"]);
        let (_, mistakes) = read_text("size = \"9\"", &[]);
        assert!(mistakes.contains("found \"9\""), "a text in a file is no number: {mistakes}");
    }
}
