//! gridhub.
#[allow(dead_code, reason = "serve.rs calls it once the data plane is linked")]
mod http;

fn main() {}
