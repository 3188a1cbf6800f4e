//! `[storage]`: the address of a database may hold a password, so it is a secret all the way; nothing prints it.

use super::mistakes::Collector;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, fmt, fs, path::PathBuf};

/// Where data is kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Storage {
    /// The database: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`.
    pub url: StorageUrl,
    /// A file that holds `url`, for a password that should not be in this one; empty = none.
    pub url_file: PathBuf,
    /// Keys of the archives. Give it a volume of its own and never back it up: what is deleted stays deleted because its
    /// key is gone.
    pub key_dir: PathBuf,
}

impl Default for Storage {
    fn default() -> Self {
        Self { url: StorageUrl::from(DEFAULT_URL), url_file: PathBuf::new(), key_dir: "{data_dir}/keys".into() }
    }
}

const DEFAULT_URL: &str = "sqlite:{data_dir}/bocage.db";

/// The address of a database.
#[derive(Clone)]
pub struct StorageUrl(SecretString);

impl StorageUrl {
    /// The address; handle it as a secret.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
    /// Does it hold a password?
    pub fn holds_secret(&self) -> bool {
        let authority = self.expose().split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
        let user = authority.and_then(|a| a.rsplit_once('@')).is_some_and(|(user, _)| user.contains(':'));
        user || self.expose().contains("password=")
    }
    /// The path of an SQLite database.
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        let path = self.expose().strip_prefix("sqlite:")?;
        let path = path.strip_prefix("//").unwrap_or(path);
        Some(PathBuf::from(path.split('?').next().unwrap_or_default()))
    }
    fn is_known(&self) -> bool {
        let named = self.sqlite_path().is_some_and(|path| !path.as_os_str().is_empty());
        named || ["postgres://", "postgresql://"].iter().any(|start| self.expose().starts_with(start))
    }
}
impl From<&str> for StorageUrl {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}
impl fmt::Debug for StorageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorageUrl")
    }
}
/// Written for the reference alone, where it is the default.
impl Serialize for StorageUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}
impl<'de> Deserialize<'de> for StorageUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(String::deserialize(deserializer)?.into()))
    }
}
impl JsonSchema for StorageUrl {
    fn schema_name() -> Cow<'static, str> {
        "StorageUrl".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "\"sqlite:PATH\" or \"postgres://USER:PASSWORD@HOST/NAME\"" })
    }
}

impl Storage {
    /// Takes `url` from its file, fills in the data directory.
    pub(super) fn resolve(&mut self, data_dir: &str, at: &mut Collector) {
        if !self.url_file.as_os_str().is_empty() {
            self.url_from_file(at);
        }
        self.url = StorageUrl::from(self.url.expose().replace("{data_dir}", data_dir).as_str());
        super::fill_data_dir(&mut self.key_dir, data_dir);
        if !self.url.is_known() {
            at.wrong("storage", "url", "found a value that is not shown; allowed: \"sqlite:PATH\" or \"postgres://…\"");
        }
        if self.key_dir.as_os_str().is_empty() {
            at.wrong("storage", "key_dir", "found \"\"; allowed: a directory");
        }
    }

    fn url_from_file(&mut self, at: &mut Collector) {
        let path = self.url_file.display();
        if self.url.expose() != DEFAULT_URL {
            at.wrong("storage", "url_file", "is set besides \"url\"; allowed: one of the two");
        }
        match fs::read_to_string(&self.url_file) {
            Err(cause) => at.wrong("storage", "url_file", format!("found \"{path}\", which cannot be read: {cause}")),
            Ok(_) if crate::permissions::open_to_all(&self.url_file) => {
                at.wrong("storage", "url_file", format!("found \"{path}\", which every user may read: chmod 0600 it (H71)"));
            }
            Ok(text) => self.url = StorageUrl::from(text.trim()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_recognised_and_never_shown() {
        for (url, secret) in [
            ("postgres://u:p@h/d", true),
            ("postgres://h/d?user=u&password=p", true),
            ("postgres://u@h:5432/d", false),
            ("sqlite:/var/lib/bocage/a@b:c.db", false),
        ] {
            assert_eq!(StorageUrl::from(url).holds_secret(), secret, "{url}");
        }
        assert_eq!(format!("{:?}", StorageUrl::from("postgres://u:p@h/d")), "StorageUrl");
    }

    #[test]
    fn sqlite_needs_a_path_and_other_databases_are_refused() {
        assert_eq!(StorageUrl::from("sqlite:./x.db?mode=rwc").sqlite_path(), Some("./x.db".into()));
        assert_eq!(StorageUrl::from("sqlite:///x.db").sqlite_path(), Some("/x.db".into()));
        for url in ["", "sqlite:", "mysql://h/d", "/var/lib/x.db"] {
            assert!(!StorageUrl::from(url).is_known(), "{url}");
        }
    }
}
