//! `gridhub method`: direct methods of devices. Owns flags and words; what is called is the service
//! API's.

use std::time::Duration;

use clap::{Args, Subcommand};
use hub::identity::IdentityId;
use hub::method::{CONNECT_TIMEOUT_RANGE, RESPONSE_TIMEOUT_RANGE};
use serde::de::IgnoredAny;
use serde_json::json;

use super::http_client::{Method as Verb, Payload};
use super::pretty::{line, pretty};
use super::service::{ServiceFlags, name, path};
use super::table::say;
use crate::config::duration::HumanDuration;

/// What to do with methods. A module is named DEVICE/MODULE.
#[derive(Subcommand)]
pub enum Method {
    /// Call a method of a device and print what it answers
    Invoke(Invoke),
}

/// A call.
#[derive(Args)]
pub struct Invoke {
    /// DEVICE or DEVICE/MODULE
    #[arg(value_parser = name)]
    name: IdentityId,
    /// The method
    method: String,
    #[command(flatten)]
    call: Call,
    /// Print the answer as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

/// What a method is given, and how long it may take.
#[derive(Args)]
pub struct Call {
    /// What the method is given
    #[arg(long, value_name = "JSON", value_parser = document)]
    payload: Option<String>,
    /// How long the device may take, 5s to 5m
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = response_s)]
    timeout: u32,
    /// How long to wait for a device that is not there, up to 5m
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = connect_s)]
    connect_timeout: u32,
}

impl Method {
    /// Asks the hub and prints status and payload on stdout.
    pub fn run(self) -> anyhow::Result<()> {
        let Self::Invoke(Invoke { name, method, call, json, service }) = self;
        let path = format!("{}/methods", path("/twins", &name));
        let body = call.body(&method);
        let (payload, wait_s) =
            (Payload::Json(body.as_bytes()), call.timeout + call.connect_timeout);
        let patience = Duration::from_secs(wait_s.into());
        let service = service.resolve()?;
        let answer = service.wait(Verb::Post, &path, &[], payload, patience)?.bytes()?;
        say(&if json { line(&answer)? } else { pretty(&answer)? })
    }
}

impl Call {
    /// The request (iot-hub C5); the payload goes as it was written.
    pub fn body(&self, method: &str) -> String {
        let payload = match &self.payload {
            Some(payload) => format!(",\"payload\":{payload}"),
            None => String::new(),
        };
        format!(
            "{{\"methodName\":{},\"responseTimeoutInSeconds\":{},\
             \"connectTimeoutInSeconds\":{}{payload}}}",
            json!(method),
            self.timeout,
            self.connect_timeout
        )
    }
}

/// Checks that a text is JSON.
///
/// # Errors
/// What is wrong with it.
pub fn document(text: &str) -> Result<String, String> {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("it is no JSON: {error}; a text is written as '\"text\"'")),
    }
}

fn response_s(text: &str) -> Result<u32, String> {
    seconds(text, *RESPONSE_TIMEOUT_RANGE.start(), *RESPONSE_TIMEOUT_RANGE.end())
}

fn connect_s(text: &str) -> Result<u32, String> {
    seconds(text, *CONNECT_TIMEOUT_RANGE.start(), *CONNECT_TIMEOUT_RANGE.end())
}

fn seconds(text: &str, min: u32, max: u32) -> Result<u32, String> {
    let duration = text.parse::<HumanDuration>()?.get();
    let whole = (duration.subsec_nanos() == 0).then(|| u32::try_from(duration.as_secs()).ok());
    let seconds = whole.flatten().filter(|seconds| (min..=max).contains(seconds));
    seconds.ok_or_else(|| format!("it is {min}s to {max}s, in whole seconds"))
}
