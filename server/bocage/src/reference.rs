//! The reference: every key with its text, what is allowed and its default, made from the types that read the
//! configuration, so that it cannot say anything else than they do. A copy of it changes nothing: all keys are comments.

use crate::{
    config::{self, table},
    modules::Modules,
};
use schemars::JsonSchema;
use serde_json::Value as Json;
use std::fmt::Write as _;

/// One table of the reference.
pub(crate) struct TableText {
    path: String,
    text: String,
    keys: Vec<KeyText>,
}

struct KeyText {
    name: String,
    text: String,
    allowed: String,
    default: Option<String>,
}

const HEAD: &str = "\
# Every key of Bocage's configuration with its default. All keys here are comments: write down only what you change.
# An environment variable sets a key too, and wins: BOCAGE_C2S__RATE=\"1 MiB/s\" is [c2s] rate. Unknown keys are errors.
# Made by `bocage reference`; a test keeps it current.

";

/// The whole reference as a TOML file.
pub fn reference(modules: &Modules) -> String {
    let mut out = HEAD.to_owned();
    core_tables().iter().for_each(|table| write_table(&mut out, table));
    write_table(&mut out, &table_text::<config::Switches>("modules"));
    modules.entries().iter().for_each(|entry| write_table(&mut out, &entry.reference()));
    out.push_str(HOSTS);
    out
}

const HOSTS: &str = "
# A further host that serves accounts. It may have `admins`, `retention` and `modules` of its own; what it leaves out is
# as above.
#[host.\"second.example\"]
#admins = [\"bob@second.example\"]
#[host.\"second.example\".retention]
#messages = \"1d\"
";

fn core_tables() -> Vec<TableText> {
    vec![
        table_text::<config::Top>(""),
        table_text::<config::Listen>("listen"),
        table_text::<config::Tls>("tls"),
        table_text::<config::C2s>("c2s"),
        table_text::<config::Auth>("auth"),
        table_text::<config::Storage>("storage"),
        table_text::<config::Retention>("retention"),
        table_text::<config::Log>("log"),
        table_text::<config::Admin>("admin"),
        table_text::<config::Dns>("dns"),
        table_text::<config::S2s>("s2s"),
    ]
}

/// The reference of one type.
pub(crate) fn table_text<T: table::Section>(path: &str) -> TableText {
    let schema = Json::from(schemars::schema_for!(T));
    let written = toml::to_string(&T::default()).unwrap_or_default();
    let defaults: Vec<(&str, &str)> = written.lines().filter_map(|line| line.split_once(" = ")).collect();
    let mut names: Vec<String> = defaults.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.extend(table::keys::<T>().into_iter().filter(|key| !defaults.iter().any(|(name, _)| name == key)));
    let key = |name: String| KeyText {
        text: schema.pointer(&format!("/properties/{name}/description")).and_then(Json::as_str).unwrap_or_default().to_owned(),
        allowed: type_of(schema.pointer(&format!("/properties/{name}")).unwrap_or(&Json::Null), &schema),
        default: defaults.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
        name,
    };
    let text = schema.get("description").and_then(Json::as_str).unwrap_or_default().to_owned();
    TableText { path: path.to_owned(), text, keys: names.into_iter().map(key).collect() }
}

/// What is allowed for `key`, in words.
pub(crate) fn type_of_key<T: JsonSchema>(key: &str) -> String {
    let schema = Json::from(schemars::schema_for!(T));
    type_of(schema.pointer(&format!("/properties/{key}")).unwrap_or(&Json::Null), &schema)
}

fn type_of(schema: &Json, root: &Json) -> String {
    if let Some(target) = schema.get("$ref").and_then(Json::as_str) {
        let target = root.pointer(target.trim_start_matches('#')).unwrap_or(&Json::Null);
        return if choices(target).is_empty() { described(target) } else { type_of(target, root) };
    }
    let choices = choices(schema);
    if !choices.is_empty() {
        return choices.join(" or ");
    }
    match type_name(schema) {
        "boolean" => "true or false".to_owned(),
        "integer" => "a whole number".to_owned(),
        "number" => "a number".to_owned(),
        "string" => "a text".to_owned(),
        "array" => format!("a list; each element: {}", type_of(schema.get("items").unwrap_or(&Json::Null), root)),
        _ => "a table".to_owned(),
    }
}

/// A type's own words, or its kind.
fn described(schema: &Json) -> String {
    let own = schema.get("description").and_then(Json::as_str);
    own.map_or_else(|| type_of_kind(schema), |text| text.replace('\n', " "))
}

fn type_of_kind(schema: &Json) -> String {
    if type_name(schema) == "string" { "a text".to_owned() } else { "a table".to_owned() }
}

fn type_name(schema: &Json) -> &str {
    match schema.get("type") {
        Some(Json::String(name)) => name,
        Some(Json::Array(names)) => names.first().and_then(Json::as_str).unwrap_or_default(),
        _ => "",
    }
}

/// The values of an enumeration, quoted.
fn choices(schema: &Json) -> Vec<String> {
    let listed = schema.get("enum").and_then(Json::as_array).into_iter().flatten();
    let documented = schema.get("oneOf").and_then(Json::as_array).into_iter().flatten();
    let constants = documented.flat_map(|one| one.get("const").into_iter().chain(one.get("enum").and_then(Json::as_array).into_iter().flatten()));
    listed.chain(constants).map(Json::to_string).collect()
}

fn write_table(out: &mut String, table: &TableText) {
    if !table.path.is_empty() {
        out.push('\n');
        write_comment(out, &table.text);
        let _ = writeln!(out, "[{}]", table.path);
    }
    for key in &table.keys {
        write_comment(out, &key.text);
        let _ = writeln!(out, "# Allowed: {}", key.allowed);
        let _ = writeln!(out, "#{} = {}", key.name, key.default.as_deref().unwrap_or("\"\""));
    }
}

fn write_comment(out: &mut String, text: &str) {
    const WIDTH: usize = 118;
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = String::from("#");
        }
        let _ = write!(line, " {word}");
    }
    if line.len() > 1 {
        let _ = writeln!(out, "{line}");
    }
}
