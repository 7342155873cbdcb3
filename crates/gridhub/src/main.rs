//! gridhub.
fn main() {}
