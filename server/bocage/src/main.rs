//! The program `bocage`.
fn main() {}
