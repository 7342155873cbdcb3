//! Tests, checks and benchmarks of gridhub.
fn main() {}
