//! The figures of the hub: one a file, each a server with its log on the disk. Refuses to judge.

mod callers;
mod connected;
mod fleet;
mod method;
mod query;
mod registered;
mod senders;
mod sending;

pub use connected::run as connected;
pub use method::run as methods;
pub use query::run as queries;
pub use registered::run as registered;
pub use sending::{reported, telemetry};

/// The middle of some values, the lower of two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}
