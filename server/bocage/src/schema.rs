//! What the types of the configuration say of themselves: their keys, texts and allowed values, from their schemas.

use schemars::JsonSchema;
use serde_json::Value as Json;

/// The schema of a table.
pub(crate) struct Shape(Json);

impl Shape {
    pub(crate) fn of<T: JsonSchema>() -> Self {
        Self(Json::from(schemars::schema_for!(T)))
    }

    /// The keys of the table at `path`, those without default included.
    pub(crate) fn keys<S: AsRef<str>>(&self, path: &[S]) -> Vec<String> {
        let node = self.resolved(self.node(path));
        node.get("properties").and_then(Json::as_object).map(|p| p.keys().cloned().collect()).unwrap_or_default()
    }

    /// The text of the key, or table, at `path`.
    pub(crate) fn text<S: AsRef<str>>(&self, path: &[S]) -> &str {
        let node = self.node(path);
        let own = node.get("description").or_else(|| self.resolved(node).get("description"));
        own.and_then(Json::as_str).unwrap_or_default()
    }

    /// What is allowed at `path`, in words.
    pub(crate) fn allowed<S: AsRef<str>>(&self, path: &[S]) -> String {
        self.words(self.node(path))
    }

    /// As it stands, references not followed: beside a reference stands the text of the key.
    fn node<S: AsRef<str>>(&self, path: &[S]) -> &Json {
        path.iter().fold(&self.0, |node, key| {
            self.resolved(node).get("properties").and_then(|p| p.get(key.as_ref())).unwrap_or(&Json::Null)
        })
    }

    fn resolved<'a>(&'a self, node: &'a Json) -> &'a Json {
        let target = node.get("$ref").and_then(Json::as_str).and_then(|target| self.0.pointer(target.trim_start_matches('#')));
        target.unwrap_or(node)
    }

    fn words(&self, node: &Json) -> String {
        let named = node.get("$ref").is_some();
        let node = self.resolved(node);
        let choices = choices(node);
        if !choices.is_empty() {
            return choices.join(" or ");
        }
        match kind(node) {
            "object" => "a table".to_owned(),
            // A named type describes its values; the text of a key says what it is for.
            _ if named && node.get("description").is_some() => {
                node.get("description").and_then(Json::as_str).unwrap_or_default().replace('\n', " ")
            }
            "boolean" => "true or false".to_owned(),
            "integer" => "a whole number".to_owned(),
            "number" => "a number".to_owned(),
            "string" => "a text".to_owned(),
            "array" => format!("a list; each element: {}", self.words(node.get("items").unwrap_or(&Json::Null))),
            _ => "a value".to_owned(),
        }
    }
}

fn kind(schema: &Json) -> &str {
    match schema.get("type") {
        Some(Json::String(name)) => name,
        Some(Json::Array(names)) => names.first().and_then(Json::as_str).unwrap_or_default(),
        _ => "",
    }
}

/// The values of an enumeration, quoted.
fn choices(schema: &Json) -> Vec<String> {
    let of = |node: &Json, key: &str| node.get(key).and_then(Json::as_array).cloned().unwrap_or_default();
    let documented = of(schema, "oneOf");
    let constants = documented.iter().flat_map(|one| one.get("const").cloned().into_iter().chain(of(one, "enum")));
    of(schema, "enum").into_iter().chain(constants).map(|value| value.to_string()).collect()
}
