//! Where a configuration comes from: a file, then the environment on top; with neither, the embedded default. The source
//! is kept so that a reload reads the same places again.

use super::{
    Config, Mistakes,
    mistakes::{Collector, Mistake},
};
use crate::{modules::Modules, permissions::open_to_all};
use figment::{
    Error, Figment, Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use toml::Table;

const PREFIX: &str = "BOCAGE_";
/// Names with our prefix that are no keys of the configuration.
const NO_KEYS: [&str; 1] = ["BOCAGE_CONFIG"];

/// Where a configuration comes from.
#[derive(Clone, Debug)]
pub struct Source {
    file: Option<PathBuf>,
    environment: Vec<(String, String)>,
}

/// What a [`Source`] turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file, and perhaps the environment.
    File(PathBuf),
    /// The environment alone.
    Environment,
    /// Neither: loopback only, `localhost`, data in the current directory.
    Embedded,
}

impl Source {
    /// `file` when the operator named one, and the environment's pairs.
    pub fn new(file: Option<PathBuf>, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = |(name, _): &(String, String)| name.starts_with(PREFIX) && !NO_KEYS.contains(&name.as_str());
        Self { file, environment: environment.into_iter().filter(ours).collect() }
    }

    /// The same for the process: its environment is read once, now.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        let text =
            |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self::new(file, std::env::vars_os().filter_map(text))
    }

    /// Which kind it is.
    pub fn origin(&self) -> Origin {
        match &self.file {
            Some(path) => Origin::File(path.clone()),
            None if self.environment.iter().any(|(name, _)| name == "BOCAGE_DOMAIN") => Origin::Environment,
            None => Origin::Embedded,
        }
    }

    /// Reads everything anew.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn load(&self, modules: &Modules) -> Result<Config, Mistakes> {
        let origin = self.origin();
        let (name, text) = match &origin {
            Origin::File(path) => (path.display().to_string(), read_file(path)?),
            Origin::Environment => ("environment".to_owned(), String::new()),
            Origin::Embedded => ("embedded default".to_owned(), crate::embedded::CONFIG.to_owned()),
        };
        let table = text.parse::<Table>().map_err(|error| syntax(&name, &text, &error))?;
        let (variables, overlay) = self.overlay();
        let merged = merge(&name, table, overlay)?;
        let mut at = Collector::new(name, variables);
        let config = Config::read(&merged, (origin, modules), &mut at);
        refuse_open_secrets(&config, &mut at);
        at.finish(config)
    }

    /// The environment as a table, and which variable set which key.
    fn overlay(&self) -> (BTreeMap<String, String>, Table) {
        let mut variables = BTreeMap::new();
        let mut overlay = Table::new();
        for (name, value) in &self.environment {
            let key = name.strip_prefix(PREFIX).unwrap_or(name).to_lowercase();
            let path: Vec<&str> = key.split("__").collect();
            variables.insert(path.join("."), name.clone());
            insert(&mut overlay, &path, value);
        }
        (variables, overlay)
    }
}

fn insert(table: &mut Table, path: &[&str], value: &str) {
    match path {
        [] => {}
        [key] => {
            table.insert((*key).to_owned(), toml::Value::String(value.to_owned()));
        }
        [key, rest @ ..] => {
            let inner = table.entry(*key).or_insert_with(|| toml::Value::Table(Table::new()));
            if let toml::Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// A layer of figment's.
struct Layer(String, Table);
impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0.clone())
    }
    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let dict = Value::serialize(&self.1)?.into_dict().unwrap_or_default();
        Ok(Map::from([(Profile::Default, dict)]))
    }
}

fn merge(name: &str, file: Table, environment: Table) -> Result<Table, Mistakes> {
    let layers = Figment::from(Layer(name.to_owned(), file)).merge(Layer("environment".to_owned(), environment));
    layers.extract().map_err(|error| whole_file(name, error.to_string()))
}

fn read_file(path: &Path) -> Result<String, Mistakes> {
    let name = path.display().to_string();
    fs::read_to_string(path).map_err(|error| whole_file(&name, format!("cannot be read: {error}")))
}

fn whole_file(name: &str, text: String) -> Mistakes {
    Mistakes(vec![Mistake { origin: name.to_owned(), table: String::new(), key: String::new(), text }])
}

/// A file that is no TOML; nothing in it can be judged.
fn syntax(name: &str, text: &str, error: &toml::de::Error) -> Mistakes {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    whole_file(name, format!("line {line} is not TOML: {}", error.message().replace('\n', ", ")))
}

fn refuse_open_secrets(config: &Config, at: &mut Collector) {
    let Origin::File(path) = &config.origin else { return };
    if config.storage.url.holds_secret() && !at.is_variable("storage.url") && config.file_holds_url() && open_to_all(path) {
        at.wrong(
            "storage",
            "url",
            "holds a password, and every user may read this file: chmod 0600 it, or use \"url_file\" (H71)",
        );
    }
}
