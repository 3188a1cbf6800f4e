//! The configuration as a whole: what the repository ships is read, every mistake is found, and nothing unknown passes.

use super::*;
use crate::reference::reference;
use bocage_api::{Checkpoints, InstallError, Module, config::Span};
use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt};

const BENCH: &str = r#"
domain = "bench.example"
data_dir = "/tmp/bench/data"
[listen]
c2s = ["127.0.0.1:15322"]
c2s_direct_tls = ["127.0.0.1:15323"]
s2s = []
s2s_direct_tls = []
https = []
[tls]
certificates = "/tmp/bench/tls"
[c2s]
rate = "off"
[log]
level = "warn"
[modules]
off = ["mam"]
[modules.muc]
host = "conference.bench.example"
"#;

/// Modules of the tests' own, beside the built-in ones.
struct Sample;
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct SampleConfig {
    /// Where.
    host: String,
    /// How long.
    wait: Span,
}
impl Module for Sample {
    const NAME: &'static str = "sample";
    type Config = SampleConfig;
    type Needs = ();
    fn install(_: SampleConfig, (): (), _: &mut Checkpoints) -> Result<(), InstallError> {
        Ok(())
    }
}
struct Bare;
impl Module for Bare {
    const NAME: &'static str = "bare";
    type Config = ();
    type Needs = ();
    fn install((): (), (): (), _: &mut Checkpoints) -> Result<(), InstallError> {
        Ok(())
    }
}

fn modules() -> Modules {
    Modules::builtin().with::<Sample>().with::<Bare>()
}

fn load_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bocage.toml");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let shown = dir.path().display().to_string();
    Source::new(Some(file), variables).load(&modules()).map_err(|e| e.to_string().replace(&format!("{shown}/"), ""))
}
fn load(text: &str) -> Result<Config, String> {
    load_with(text, &[])
}
fn mistakes(text: &str) -> String {
    load(text).map(|_| ()).expect_err("has mistakes")
}

/// What the repository ships, by name.
fn shipped() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let mut files = vec![root.join("bocage.toml"), root.join("reference.toml")];
    files.extend(fs::read_dir(root.join("examples")).unwrap().map(|entry| entry.unwrap().path()));
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}
fn examples() -> impl Iterator<Item = (String, String)> {
    let embedded = [("embedded".to_owned(), crate::embedded::CONFIG.to_owned()), ("bench".to_owned(), BENCH.to_owned())];
    shipped().into_iter().filter(|(name, _)| name != "reference.toml").chain(embedded)
}

#[test]
fn every_example_is_read() {
    assert!(examples().count() >= 6);
    for (name, text) in examples() {
        load(&text).unwrap_or_else(|mistakes| panic!("{name}: {mistakes}"));
    }
}

#[test]
fn the_benchmark_gets_what_it_asks_for() {
    let config = load(BENCH).unwrap();
    assert_eq!(config.listen.c2s(), ["127.0.0.1:15322".parse().unwrap()]);
    assert_eq!(config.c2s.rate, Rate::Off);
    assert_eq!(config.admin.socket, Path::new("/tmp/bench/data/admin.sock"));
    assert_eq!(config.storage.url.sqlite_path().unwrap(), Path::new("/tmp/bench/data/bocage.db"));
    assert_eq!(config.storage.key_dir, Path::new("/tmp/bench/data/keys"));
    assert_eq!(config.relaxations().len(), 1);
}

/// Paths of all tables, the top one included.
fn tables(table: &Table, path: &[String], found: &mut Vec<Vec<String>>) {
    found.push(path.to_vec());
    for (key, value) in table {
        if let Value::Table(inner) = value {
            tables(inner, &[path, std::slice::from_ref(key)].concat(), found);
        }
    }
}
fn table_mut<'a>(table: &'a mut Table, path: &[String]) -> &'a mut Table {
    path.iter().fold(table, |table, key| table.get_mut(key).unwrap().as_table_mut().unwrap())
}

#[test]
fn an_unknown_key_in_any_table_of_any_example_is_refused() {
    let mut tried = 0;
    for (name, text) in examples() {
        let parsed: Table = text.parse().unwrap();
        let mut paths = Vec::new();
        tables(&parsed, &[], &mut paths);
        for path in paths {
            for value in [Value::Boolean(true), Value::Table(Table::new())] {
                let mut broken = parsed.clone();
                table_mut(&mut broken, &path).insert("zz_unknown".to_owned(), value);
                let Err(said) = load(&broken.to_string()) else { panic!("{name}: {path:?} took an unknown key") };
                assert!(said.contains("zz_unknown"), "{name}: {said}");
                tried += 1;
            }
        }
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn a_wrong_value_at_any_key_of_any_example_is_refused_by_its_name() {
    let wrong = [Value::Float(1.5), Value::Integer(-7), "2026-01-01T00:00:00Z".parse::<toml::value::Datetime>().unwrap().into()];
    let mut tried = 0;
    for (name, text) in examples() {
        let parsed: Table = text.parse().unwrap();
        let mut paths = Vec::new();
        tables(&parsed, &[], &mut paths);
        for path in paths {
            for key in table_mut(&mut parsed.clone(), &path).keys() {
                for value in &wrong {
                    let mut broken = parsed.clone();
                    table_mut(&mut broken, &path).insert(key.clone(), value.clone());
                    let Err(said) = load(&broken.to_string()) else { panic!("{name}: {path:?} {key} took {value}") };
                    assert!(said.contains(key.as_str()), "{name} {key}: {said}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn all_mistakes_of_all_tables_are_said_at_once() {
    let said = mistakes(
        r#"
domain = "a b"
admins = ["alice@village.example", "village.example", "@"]
lokale = "fr"
[listen]
c2s = ["nonsense", "127.0.0.1:5222", "5222"]
https = ["[::]:443"]
[c2s]
rate = "5 KB"
burst = 10
max_resources = 0
[auth]
scram_sha1 = "no"
[retention]
messages = "90d"
[log]
level = "loud"
[modules]
off = ["offlin"]
[modules.sampel]
[acme]
contact = "x"
[storage]
url = "mysql://u:hunter2@h/d"
"#,
    );
    for part in [
        "bocage.toml: domain: found \"a b\"; allowed: a domain",
        "admins: found \"village.example\"",
        "admins: found \"@\"",
        "lokale: is not known, did you mean \"locale\"?",
        "[listen] c2s: found [\"nonsense\"",
        "\"nonsense\" is not an address with a port; \"5222\" is not an address with a port",
        "[listen] https: found [::]:443; this build does not serve HTTPS yet; allowed: []",
        "[c2s] rate: found \"5 KB\"; allowed: a rate",
        "[c2s] burst: found 10; allowed: a duration",
        "[c2s] max_resources: found 0; allowed: from 1 to 1000",
        "[auth] scram_sha1: found \"no\"; allowed: true or false",
        "[retention] messages: found \"90d\"; allowed: up to \"max\", which is 31d",
        "[log] level: found \"loud\"; allowed: \"error\" or \"warn\" or \"info\" or \"debug\" or \"trace\"",
        "[modules] off: found \"offlin\"",
        "[modules] sampel: is not known, did you mean \"sample\"?",
        "[acme]: this build does not have this yet",
        "[storage] url: found a value that is not shown",
    ] {
        assert!(said.contains(part), "missing: {part}\nin:\n{said}");
    }
    let said_of_tls = mistakes("domain = \"village.example\"");
    assert_eq!(
        said_of_tls,
        "bocage.toml: [tls] certificates: is missing; allowed: a directory with village.example.crt and village.example.key"
    );
    assert_eq!(
        mistakes("").lines().next(),
        Some("bocage.toml: domain: is missing; allowed: a domain such as \"village.example\"")
    );
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(said.lines().filter(|line| line.contains("@village.example\"; allowed")).count(), 0, "good values are not blamed");
}

#[test]
fn the_environment_wins_and_is_blamed_for_its_own_mistakes() {
    let variables = [
        ("BOCAGE_DOMAIN", "harbour.example"),
        ("BOCAGE_ADMINS", "alice@harbour.example, bob@harbour.example"),
        ("BOCAGE_C2S__MAX_RESOURCES", "3"),
        ("BOCAGE_LISTEN__C2S", "127.0.0.1:1,[::1]:2"),
        ("BOCAGE_AUTH__SCRAM_SHA1", "false"),
        ("BOCAGE_MODULES__SAMPLE__WAIT", "3s"),
        ("BOCAGE_MODULES__OFF", "witness"),
        ("BOCAGE_CONFIG", "not a key"),
        ("UNRELATED", "x"),
    ];
    let config = load_with(BENCH, &variables).unwrap();
    assert_eq!(config.domain(), "harbour.example");
    assert_eq!(config.hosts[0].admins.len(), 2);
    assert_eq!((config.c2s.max_resources, config.auth.scram_sha1), (3, false));
    assert_eq!(config.listen.c2s().len(), 2);
    assert_eq!(config.hosts[0].modules["sample"].value("wait"), Some(&Value::String("3s".into())));
    let said = load_with(BENCH, &[("BOCAGE_C2S__RATE", "fast"), ("BOCAGE_C2S__RAET", "1"), ("BOCAGE_LOG", "x")]).unwrap_err();
    assert!(said.contains("environment, BOCAGE_C2S__RATE: [c2s] rate: found \"fast\""), "{said}");
    assert!(said.contains("environment, BOCAGE_C2S__RAET: [c2s] raet: is not known, did you mean \"rate\"?"), "{said}");
    assert!(said.contains("environment, BOCAGE_LOG: [log]: found \"x\"; allowed: a table"), "{said}");
}

#[test]
fn without_a_file_the_environment_or_the_embedded_default_is_enough() {
    let pairs = |list: &[(&str, &str)]| list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
    let config = Source::new(None, pairs(&[])).load(&modules()).unwrap();
    assert_eq!((config.origin.clone(), config.domain()), (Origin::Embedded, "localhost"));
    assert!(config.listen.served().all(|(_, address)| address.ip().is_loopback()));
    assert!(config.makes_own_certificate());
    let variables = pairs(&[("BOCAGE_DOMAIN", "a.example"), ("BOCAGE_TLS__CERTIFICATES", "/c")]);
    let config = Source::new(None, variables).load(&modules()).unwrap();
    assert_eq!((config.origin.clone(), config.data_dir.as_path()), (Origin::Environment, Path::new("/var/lib/bocage")));
}

#[test]
fn a_file_that_is_no_toml_is_refused_by_line() {
    assert!(mistakes("domain = \"a.example\"\n[listen\n").starts_with("bocage.toml: line 2 is not TOML:"));
    assert!(mistakes("domain = \"a.example\"\ndomain = \"b.example\"\n").contains("line 2 is not TOML"));
    let absent = Source::new(Some("/nonexistent/bocage.toml".into()), []).load(&modules()).unwrap_err().to_string();
    assert!(absent.starts_with("/nonexistent/bocage.toml: cannot be read:"), "{absent}");
}

#[test]
fn a_file_with_a_password_must_not_be_open_to_all() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bocage.toml");
    let read = |text: &str, mode| {
        fs::write(&file, format!("domain = \"localhost\"\n{text}")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        Source::new(Some(file.clone()), []).load(&modules()).map_err(|e| e.to_string())
    };
    let secret = "[storage]\nurl = \"postgres://u:hunter2@h/d\"";
    assert!(read(secret, 0o644).unwrap_err().contains("every user may read this file"));
    assert!(read(secret, 0o640).is_ok());
    assert!(read("", 0o644).is_ok());
    let url_file = dir.path().join("url");
    fs::write(&url_file, "postgres://u:hunter2@h/d\n").unwrap();
    let by_file = format!("[storage]\nurl_file = \"{}\"", url_file.display());
    fs::set_permissions(&url_file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(read(&by_file, 0o644).unwrap_err().contains("every user may read"));
    fs::set_permissions(&url_file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(read(&by_file, 0o644).unwrap().storage.url.expose(), "postgres://u:hunter2@h/d");
    assert!(read(&format!("{by_file}\nurl = \"sqlite:x\""), 0o600).unwrap_err().contains("one of the two"));
}

#[test]
fn hosts_have_what_they_say_and_else_what_the_server_says() {
    let config = load(
        r#"
domain = "localhost"
admins = ["alice@localhost"]
[retention]
messages = "14d"
offline = "2d"
[modules]
off = ["bare"]
[modules.sample]
host = "x.{domain}"
wait = "5s"
[host."b.example"]
admins = []
[host."b.example".retention]
messages = "1d"
[host."b.example".modules]
off = ["witness"]
[host."b.example".modules.sample]
wait = "7s"
"#,
    )
    .unwrap();
    let [first, second] = &config.hosts[..] else { panic!("two hosts") };
    let names = |host: &Host| host.modules.keys().copied().collect::<BTreeSet<_>>();
    assert!(!names(first).contains("bare") && names(second).contains("bare"));
    let text = |host: &Host, key| host.modules["sample"].value(key).unwrap().as_str().unwrap().to_owned();
    assert_eq!((text(first, "host"), text(first, "wait")), ("x.localhost".into(), "5s".into()));
    assert_eq!((text(second, "host"), text(second, "wait")), ("x.b.example".into(), "7s".into()));
    assert_eq!((first.admins.len(), second.admins.len()), (1, 0));
    let periods = |host: &Host| (host.retention.messages, host.retention.offline);
    assert_eq!(periods(first), (Span::days(14), Span::days(2)));
    assert_eq!(periods(second), (Span::days(1), Span::days(2)));
    assert!(config.host("b.example").is_some() && config.host("c.example").is_none());
    let said = mistakes("domain = \"localhost\"\n[host.\"localhost\"]\n[host.\"a b\"]\n[host.x]\nadmin = []\ntls = 1");
    assert!(said.contains("[host.\"localhost\"]: is the table of a host that is there already"), "{said}");
    assert!(said.contains("[host.\"a b\"]: found a name that is no domain"), "{said}");
    assert!(said.contains("[host.\"x\"] admin: is not known, did you mean \"admins\"?"), "{said}");
}

#[test]
fn a_lower_max_cuts_defaults_and_a_higher_one_has_an_end() {
    let config = load("domain = \"localhost\"\n[retention]\nmax = \"3d\"").unwrap();
    assert_eq!((config.retention.messages, config.retention.push), (Span::days(3), Span::days(3)));
    assert!(mistakes("domain = \"localhost\"\n[retention]\nmax = \"367d\"").contains("allowed: up to 366d"));
    let said = mistakes("domain = \"localhost\"\n[host.\"b.example\".retention]\nrooms = \"32d\"");
    assert!(said.contains("[host.\"b.example\".retention] rooms: found \"32d\""), "{said}");
}

#[test]
fn a_module_twice_or_of_later_work_is_refused() {
    let twice = modules().with::<Bare>();
    let said = Source::new(None, []).load(&twice).unwrap_err().to_string();
    assert!(said.contains("[modules] bare: two modules of this build have this name"), "{said}");
    let said = mistakes("domain = \"localhost\"\n[modules.witness]\nx = 1\n[modules.bare]\nx = 1");
    assert!(said.contains("[modules] witness: this build does not have this module yet"), "{said}");
    assert!(said.contains("[modules.bare] x: is not known (allowed here: no keys)"), "{said}");
}

#[test]
fn the_reference_is_current_and_changes_nothing() {
    let written = reference(&Modules::builtin());
    if std::env::var_os("BOCAGE_WRITE_REFERENCE").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/reference.toml"), &written).unwrap();
    }
    let (_, committed) = shipped().into_iter().find(|(name, _)| name == "reference.toml").unwrap();
    assert_eq!(committed, written, "run: bocage reference > config/reference.toml");
    let active: String = written.lines().map(|line| format!("{}\n", key_of(line))).collect();
    let active = active.replace("domain = \"\"", "domain = \"localhost\"");
    let config = load(&active).unwrap();
    assert_eq!(config.retention, Retention::default());
    assert!(config.relaxations().is_empty());
    assert_eq!(active.parse::<Table>().unwrap().keys().collect::<BTreeSet<_>>().len(), KNOWN.len(), "all tables are there");
    // A list that is a default stands on one line, however long.
    let is_text = |line: &&str| key_of(line) == *line;
    assert!(written.lines().filter(is_text).all(|line| line.chars().count() <= 130), "lines stay readable");
}

/// A line with its key no longer a comment.
fn key_of(line: &str) -> &str {
    let key = line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '['));
    key.unwrap_or(line)
}

#[test]
fn every_key_of_the_reference_is_documented() {
    let text = reference(&modules());
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with('#') && key_of(line) != **line) {
        if lines[..at].iter().any(|l| l.contains("second.example")) || line.contains("second.example") {
            continue;
        }
        assert!(lines[at - 1].starts_with("# Allowed: ") && lines[at - 2].starts_with("# "), "{line} has no text");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "([a-z0-9_]{1,12} = (\"[ -~]{0,12}\"|-?[0-9]{1,4}|true|\\[\"[ -~]{0,6}\"\\])\n|\\[[a-z.\"]{1,12}\\]\n|[ -~]{0,10}\n){0,8}") {
        let _ = load(&text);
    }
}
