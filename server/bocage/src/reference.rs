//! The reference: every key with its text, what is allowed and its default, made from the types that read the
//! configuration, so that it cannot say anything else than they do. A copy of it changes nothing: all keys are comments.

use crate::{
    config::{self, table::Section},
    modules::Modules,
    schema::Shape,
};
use std::fmt::Write as _;

/// Tables of the reference that belong to one type.
pub(crate) struct TableText(String);

const HEAD: &str = "\
# Every key of Bocage's configuration with its default. All keys here are comments: write down only what you change.
# An environment variable sets a key too, and wins: BOCAGE_C2S__RATE=\"1 MiB/s\" is [c2s] rate. Unknown keys are errors.
# Made by `bocage reference`; a test keeps it current.

";

const HOSTS: &str = "
# A further host that serves accounts. It may have `admins`, `retention` and `modules` of its own; what it leaves out is
# as above.
#[host.\"second.example\"]
#admins = [\"bob@second.example\"]
#[host.\"second.example\".retention]
#messages = \"1d\"
";

/// The whole reference as a TOML file.
pub fn reference(modules: &Modules) -> String {
    let mut tables = core_tables();
    let mut names = String::new();
    write_comment(&mut names, &format!("Modules of this build: {}", modules.names().join(", ")));
    tables.push(table_text::<config::Switches>("modules"));
    tables.push(TableText(names));
    let entries = modules.entries().iter().map(crate::modules::Entry::reference);
    // A module without keys has no table worth showing.
    tables.extend(entries.filter(|table| table.0.contains(" = ")));
    let text: String = tables.into_iter().map(|table| table.0).collect();
    format!("{HEAD}{text}{HOSTS}")
}

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

/// The reference of one type, called `name` in the file. The defaults as TOML writes them give the order of the keys.
pub(crate) fn table_text<T: Section>(name: &str) -> TableText {
    let shape = Shape::of::<T>();
    let mut out = String::new();
    let mut path: Vec<String> = Vec::new();
    write_table(&mut out, name, (&shape, &path));
    for line in toml::to_string(&T::default()).unwrap_or_default().lines() {
        if let Some(table) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')).filter(|_| !line.contains('=')) {
            path = table.split('.').map(str::to_owned).collect();
            write_table(&mut out, &format!("{name}.{table}"), (&shape, &path));
        } else if let Some((key, default)) = line.split_once(" = ") {
            write_key(&mut out, key, default, (&shape, &path));
        }
    }
    TableText(out)
}

fn write_table(out: &mut String, name: &str, (shape, path): (&Shape, &[String])) {
    if !name.is_empty() {
        out.push('\n');
        let text = shape.text(path);
        write_comment(out, if text.trim_matches('`') == format!("[{name}]") { "" } else { text });
        let _ = writeln!(out, "[{name}]");
    }
}

fn write_key(out: &mut String, key: &str, default: &str, (shape, path): (&Shape, &[String])) {
    let path = [path, &[key.to_owned()]].concat();
    write_comment(out, shape.text(&path));
    write_comment(out, &format!("Allowed: {}", shape.allowed(&path)));
    let _ = writeln!(out, "#{key} = {default}");
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
