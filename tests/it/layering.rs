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
/// All packages in the normal tree below `root`, with what each is.
fn linked_into(root: &str) -> Vec<&'static Value> {
    let nodes = METADATA["resolve"]["nodes"].as_array().expect("nodes");
    let id = |name: &str| text(own().find(|p| text(p, "name") == name).expect("package"), "id").to_owned();
    let (mut todo, mut seen) = (vec![id(root)], BTreeSet::new());
    while let Some(next) = todo.pop() {
        if !seen.insert(next.clone()) {
            continue;
        }
        let node = nodes.iter().find(|n| text(n, "id") == next).expect("node");
        for dep in node["deps"].as_array().expect("deps") {
            if dep["dep_kinds"].as_array().expect("kinds").iter().any(|k| k["kind"].is_null()) {
                todo.push(text(dep, "pkg").to_owned());
            }
        }
    }
    packages().iter().filter(|p| seen.contains(text(p, "id"))).collect()
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
        ("bocage-store", &["bocage-api"]),
        ("bocage-core", &["bocage-api", "bocage-stream", "bocage-sasl", "bocage-tls"]),
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
fn banned_crates_are_not_linked() {
    let names: BTreeSet<_> = linked_into("bocage").iter().map(|p| text(p, "name")).collect();
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
    for package in linked_into("bocage") {
        let licence = text(package, "license");
        let choices = licence.split(" OR ").flat_map(|c| c.split('/'));
        let good = |choice: &str| choice.split(" AND ").all(|l| fine.contains(&l.trim_matches(|c| " ()".contains(c))));
        assert!(choices.into_iter().any(good), "{} has licence {licence:?}", text(package, "name"));
    }
}

#[test]
fn no_crate_is_linked_in_more_versions_than_known() {
    // Each name here is waited for: the number of versions may go down, never up.
    let known: &[&str] = &[
        "base64",
        "getrandom",
        "hashbrown",
        "rand",
        "rand_core",
        "thiserror",
        "thiserror-impl",
        "toml",
        "toml_datetime",
        "winnow",
        "digest",
        "block-buffer",
        "crypto-common",
        "cpufeatures",
        "hmac",
        "sha2",
        "sha1",
        "hkdf",
        "itertools",
        "syn",
        "serde_spanned",
        "toml_edit",
        "toml_parser",
        "windows-sys",
        "spin",
        "foldhash",
        "untrusted",
        "webpki-roots",
        "r-efi",
        "md-5",
        "cmov",
        "const-oid",
        "ctutils",
        "nom",
        "strum",
        "strum_macros",
        "heck",
        "chacha20",
        "hybrid-array",
    ];
    let mut seen = BTreeSet::new();
    for package in linked_into("bocage") {
        let name = text(package, "name");
        assert!(seen.insert(name) || known.contains(&name), "{name} is linked in two versions");
    }
}
