//! What is wrong with a configuration, in our own words. All of it is collected before anything is said: an operator
//! mends a file once, not once per mistake. A value that may hold a secret is never repeated.

use std::{collections::BTreeMap, fmt};

/// Keys whose values are not shown.
const SECRET: [(&str, &str); 1] = [("storage", "url")];

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, or the environment variable, that says it.
    pub origin: String,
    /// The table, without brackets; empty for the top level.
    pub table: String,
    /// The key; empty when the table itself is wrong.
    pub key: String,
    /// What was found and what is allowed.
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        match (self.table.is_empty(), self.key.is_empty()) {
            (true, true) => {}
            (true, false) => write!(f, "{}: ", self.key)?,
            (false, true) => write!(f, "[{}]: ", self.table)?,
            (false, false) => write!(f, "[{}] {}: ", self.table, self.key)?,
        }
        f.write_str(&self.text)
    }
}

/// All that is wrong; never empty when it is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(at, mistake)| {
            let newline = if at == 0 { "" } else { "\n" };
            write!(f, "{newline}{mistake}")
        })
    }
}
impl std::error::Error for Mistakes {}

/// Collects mistakes and knows where each key came from.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    /// Name of the file as the operator wrote it.
    pub(crate) file: String,
    /// Environment variables by the key that they set (`c2s.rate`).
    pub(crate) variables: BTreeMap<String, String>,
    found: Vec<Mistake>,
}

impl Collector {
    pub(crate) fn new(file: impl Into<String>, variables: BTreeMap<String, String>) -> Self {
        Self { file: file.into(), variables, found: Vec::new() }
    }

    /// Says that `key` of `table` is wrong.
    pub(crate) fn wrong(&mut self, table: &str, key: &str, text: impl Into<String>) {
        let path = if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") };
        let variable = self.variables.get(&path).or_else(|| self.variables.get(table));
        let origin = variable.map_or_else(|| self.file.clone(), |name| format!("environment, {name}"));
        self.found.push(Mistake { origin, table: table.to_owned(), key: key.to_owned(), text: text.into() });
    }

    /// Says that a key is not known, and which ones are.
    pub(crate) fn unknown(&mut self, table: &str, key: &str, known: &[String]) {
        let hint = did_you_mean(key, known).map(|name| format!(", did you mean \"{name}\"?")).unwrap_or_default();
        let known = if known.is_empty() { "no keys".to_owned() } else { known.join(", ") };
        self.wrong(table, key, format!("is not known{hint} (allowed here: {known})"));
    }

    /// Is `path` set by the environment?
    pub(crate) fn is_variable(&self, path: &str) -> bool {
        self.variables.contains_key(path)
    }

    /// The value if nothing was wrong.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Mistakes> {
        if self.found.is_empty() { Ok(value) } else { Err(Mistakes(self.found)) }
    }
}

/// `value` as the operator wrote it, shortened, and hidden when it may be a secret.
pub(crate) fn shown(table: &str, key: &str, value: &toml::Value) -> String {
    const LONGEST: usize = 80;
    if SECRET.contains(&(table, key)) {
        return "a value that is not shown".to_owned();
    }
    if value.is_table() {
        return "a table".to_owned();
    }
    let text: String =
        value.to_string().chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect();
    match text.char_indices().nth(LONGEST) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// The nearest of `known`, if it is near enough to be a slip.
pub(crate) fn did_you_mean<'a>(word: &str, known: &'a [String]) -> Option<&'a str> {
    const NEAR: f64 = 0.6;
    let near = known.iter().map(|name| (strsim::normalized_damerau_levenshtein(word, name), name.as_str()));
    near.filter(|(score, _)| *score >= NEAR).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_variable_or_the_file_the_table_and_the_key() {
        let variables = BTreeMap::from([("c2s.rate".to_owned(), "BOCAGE_C2S__RATE".to_owned())]);
        let mut at = Collector::new("bocage.toml", variables);
        at.wrong("c2s", "rate", "no");
        at.wrong("c2s", "burst", "no");
        at.wrong("", "domain", "no");
        let Err(mistakes) = at.finish(()) else { panic!("three mistakes are an error") };
        let text = mistakes.to_string();
        assert_eq!(text, "environment, BOCAGE_C2S__RATE: [c2s] rate: no\nbocage.toml: [c2s] burst: no\nbocage.toml: domain: no");
    }

    #[test]
    fn suggests_slips_and_nothing_far_fetched() {
        let known = ["max_resources".to_owned(), "rate".to_owned()];
        assert_eq!(did_you_mean("max_resource", &known), Some("max_resources"));
        assert_eq!(did_you_mean("raet", &known), Some("rate"));
        assert_eq!(did_you_mean("certificates", &known), None);
    }

    #[test]
    fn secrets_and_control_characters_are_not_shown() {
        let value = toml::Value::String("postgres://u:hunter2@h/d".into());
        assert!(!shown("storage", "url", &value).contains("hunter2"));
        assert!(!shown("", "domain", &toml::Value::String("a\u{1b}[31m".into())).contains('\u{1b}'));
        assert!(shown("", "domain", &toml::Value::String("x".repeat(500))).chars().count() <= 81);
    }
}
