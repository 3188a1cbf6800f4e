//! The floors of the house, by declared dependencies; bans and licences of all that is linked in.

use serde_json::Value;
use std::{collections::BTreeSet, process::Command, sync::LazyLock};

static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    assert!(out.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("cargo metadata prints JSON")
});

fn packages() -> &'static Vec<Value> {
    METADATA["packages"].as_array().expect("packages")
}
fn own() -> impl Iterator<Item = &'static Value> {
    packages().iter().filter(|p| p["source"].is_null())
}
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
/// Names of the dependencies that a package declares for its normal build.
fn declared(package: &Value) -> BTreeSet<&str> {
    let normal = package["dependencies"].as_array().expect("dependencies").iter().filter(|d| d["kind"].is_null());
    normal.map(|d| text(d, "name")).collect()
}
/// Name and licence of everything in the normal tree of the program, as it is built here.
fn linked() -> Vec<(String, String)> {
    let out = Command::new(env!("CARGO"))
        .args(["tree", "--package", "bocage", "--edges", "normal", "--prefix", "none", "--format", "{p}|{l}", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo tree runs");
    assert!(out.status.success(), "cargo tree: {}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).expect("cargo tree prints text");
    // One line per package: repeated ones are marked.
    let lines: BTreeSet<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    let parts = lines.into_iter().filter_map(|line| line.split_once('|'));
    parts
        .map(|(package, licence)| (package.split(' ').next().unwrap_or_default().to_owned(), licence.replace(" (*)", "")))
        .collect()
}

#[test]
fn modules_know_the_api_and_nothing_behind_it() {
    let hidden =
        ["bocage", "bocage-core", "bocage-store", "bocage-stream", "bocage-sasl", "bocage-tls", "sqlx", "rustls", "tokio"];
    let modules: Vec<_> = own().filter(|p| text(p, "name").starts_with("bocage-module-")).collect();
    assert!(modules.len() >= 12, "modules are found");
    for module in modules {
        let declared = declared(module);
        assert!(declared.contains("bocage-api"), "{} declares the api", text(module, "name"));
        for name in hidden {
            assert!(!declared.contains(name), "{} declares {name}", text(module, "name"));
        }
        assert!(text(module, "manifest_path").contains("/modules/"), "a module lives under modules/");
    }
}

#[test]
fn each_floor_stands_on_those_below() {
    let allowed: &[(&str, &[&str])] = &[
        ("bocage-api", &[]),
        ("bocage-stream", &[]),
        ("bocage-sasl", &[]),
        ("bocage-tls", &[]),
        ("bocage-dial", &[]),
        ("bocage-store", &["bocage-api"]),
        ("bocage-core", &["bocage-api", "bocage-dial", "bocage-stream", "bocage-sasl", "bocage-tls"]),
    ];
    for (name, below) in allowed {
        let package = own().find(|p| text(p, "name") == *name).expect("package");
        for dep in declared(package).iter().filter(|d| d.starts_with("bocage")) {
            assert!(below.contains(dep), "{name} declares {dep}");
        }
    }
}

#[test]
fn the_api_takes_of_tokio_what_synchronises_and_waits() {
    let api = own().find(|p| text(p, "name") == "bocage-api").expect("api");
    let tokio = api["dependencies"].as_array().unwrap().iter().find(|d| d["name"] == "tokio").expect("tokio");
    let features: BTreeSet<_> = tokio["features"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    assert_eq!(features, BTreeSet::from(["macros", "sync", "time"]));
    assert_eq!(tokio["uses_default_features"], false);
}

#[test]
fn h72_banned_crates_are_not_linked() {
    let linked = linked();
    let names: BTreeSet<_> = linked.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains("rustls") && names.contains("aws-lc-rs"), "the tree is walked");
    for banned in ["ring", "openssl", "openssl-sys", "native-tls", "async-std", "quick-xml", "libxml", "cmake"] {
        assert!(!names.contains(banned), "{banned} is linked into bocage");
    }
}

#[test]
fn licences_are_known_and_compatible() {
    let fine = [
        "MIT",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "MPL-2.0",
        "Unicode-3.0",
        "Zlib",
        "CC0-1.0",
        "0BSD",
        "Unlicense",
        "BSL-1.0",
        "CDLA-Permissive-2.0",
        "AGPL-3.0-or-later",
        "OpenSSL",
        "MIT-0",
        "BlueOak-1.0.0",
        "Apache-2.0 WITH LLVM-exception",
    ];
    for (name, licence) in linked() {
        let choices = licence.split(" OR ").flat_map(|c| c.split('/'));
        let good = |choice: &str| choice.split(" AND ").all(|l| fine.contains(&l.trim_matches(|c| " ()".contains(c))));
        assert!(choices.into_iter().any(good), "{name} has licence {licence:?}");
    }
}

#[test]
fn no_crate_is_linked_in_more_versions_than_known() {
    // Each name here is waited for: the number of versions may go down, never up.
    let known = [
        "base64",
        "block-buffer",
        "cpufeatures",
        "crypto-common",
        "digest",
        "hashbrown",
        "thiserror",
        "thiserror-impl",
        "untrusted",
        "rxml_validation",
        "serde_spanned",
        "sha2",
        "syn",
        "synstructure",
        "toml",
        "toml_datetime",
        "winnow",
        "rand",
        "rand_core",
        "getrandom",
        "hmac",
        "toml_edit",
    ];
    let mut seen = BTreeSet::new();
    for (name, _) in linked() {
        assert!(seen.insert(name.clone()) || known.contains(&name.as_str()), "{name} is linked in two versions");
    }
}
