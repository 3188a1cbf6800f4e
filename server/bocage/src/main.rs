//! The server with the modules of this repository.

use std::process::ExitCode;

fn main() -> ExitCode {
    bocage::main(bocage::Modules::builtin())
}
