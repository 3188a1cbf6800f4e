//! Tells cargo that a new migration file is a reason to rebuild: `sqlx::migrate!` sees only the files of its last run.

#![allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
