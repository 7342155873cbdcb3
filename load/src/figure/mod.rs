//! The figures of what is kept on disk that a load generator for live traffic cannot take: one a
//! file, each a server of its own and one line of numbers. Refuses to judge: the bars are the
//! bench's.

mod crowd;
mod home;
mod hub;
mod puback;
mod raw;
mod retained;
mod start;
mod steady;

use crate::proof::Size;
use anyhow::{Result, bail};
use serde_json::{Map, Value};
use std::path::Path;

/// What was measured, by name.
#[derive(Debug, Default)]
pub struct Numbers(Map<String, Value>);

/// Where and how large.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The server.
    pub binary: &'a Path,
    /// A folder on the disk to measure; made here and gone afterwards.
    pub folder: &'a Path,
    /// A hundredth of everything for a try.
    pub size: Size,
}

/// Name, what it measures, and the measurement.
type Figure = (&'static str, &'static str, fn(Place<'_>) -> Result<Numbers>);

/// Every one.
pub const FIGURES: [Figure; 10] = [
    ("puback", "PUBACK at 20,000 a second beside the disk's own fdatasync", puback::run),
    (
        "durable-start",
        "1 million sessions and 1 million retained messages after kill -9",
        start::run,
    ),
    ("retained-1m", "1 million retained messages and reading them by wildcards", retained::run),
    ("hub-reported", "256 devices report in parallel", hub::reported),
    ("hub-telemetry", "256 devices send telemetry at QoS 1", hub::telemetry),
    ("hub-methods", "methods over HTTP at 2,000 a second beside plain requests", hub::methods),
    ("hub-connected", "what a connected device costs over a plain connection", hub::connected),
    ("hub-registered", "1 million devices, registered in bulk", hub::registered),
    ("hub-queries", "queries over 100,000 devices", hub::queries),
    ("steady", "the disk after 10 million messages went through", steady::run),
];

/// Takes one.
///
/// # Errors
/// When there is none of that name, or it could not be taken.
pub fn run(name: &str, place: Place<'_>) -> Result<Numbers> {
    let Some((_, _, figure)) = FIGURES.iter().find(|(known, ..)| *known == name) else {
        bail!("there is no figure '{name}'");
    };
    figure(place)
}

impl Place<'_> {
    /// `full`, or a hundredth of it.
    fn of(self, full: u64) -> u64 {
        if self.size == Size::Full { full } else { (full / 100).max(1) }
    }
}

impl Numbers {
    fn add(&mut self, name: &str, value: impl Into<f64>) {
        self.0.insert(name.to_owned(), Value::from(value.into()));
    }

    /// The one line for programs.
    pub fn line(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}
