//! How the verbs of the hub find it and prove themselves: by a connection string, else as all
//! client verbs do (product 2). Owns the credential; what is asked belongs to the verbs.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use hub::identity::IdentityId;
use hub::sas::{ConnectionString, Credential, Subject, Token};

use super::connection::{Connection, ConnectionFlags};
use super::endpoint::HttpsEndpoint;
use super::http_client::{Answer, Method, Payload, Request, send};
use super::pretty::elements;
use crate::http::query::percent_encode;

/// Hub and credential.
#[derive(Args)]
pub struct ServiceFlags {
    /// Of a policy: HostName=HOST[:PORT];SharedAccessKeyName=NAME;SharedAccessKey=KEY
    #[arg(long, value_name = "TEXT", env = "GRIDHUB_CONNECTION_STRING", hide_env_values = true)]
    connection_string: Option<String>,
    #[command(flatten)]
    connection: ConnectionFlags<HttpsEndpoint>,
}

/// A hub that can be asked.
pub struct Service {
    connection: Connection<HttpsEndpoint>,
    authorization: String,
    /// What devices call the hub: without a port.
    host: String,
}

impl ServiceFlags {
    /// Puts together what flags, environment and data directory say. A connection string names
    /// server and credential; `--endpoint` says where that server is reached.
    ///
    /// # Errors
    /// What is missing or wrong, and how to give it.
    pub fn resolve(&self) -> anyhow::Result<Service> {
        let Some(text) = &self.connection_string else {
            let connection = self.connection.resolve()?;
            let authorization = format!("Bearer {}", connection.token);
            let host = connection.endpoint.host.clone();
            return Ok(Service { connection, authorization, host });
        };
        let parts = ConnectionString::parse(text).context("the connection string")?;
        if *parts.subject() != Subject::Hub {
            bail!("that is a device's connection string; services need one of a policy of the hub");
        }
        let authorization = match parts.credential() {
            Credential::Key { policy, key } => {
                let until_s = super::wall_s() + TOKEN_TTL_S;
                Token::make(parts.host(), until_s, policy.as_deref(), key)
            }
            Credential::Signature(token) => token.to_string(),
            Credential::X509 => bail!("a hub is asked with a key, not with a certificate"),
        };
        let endpoint: HttpsEndpoint = parts.host().parse().map_err(anyhow::Error::msg)?;
        let host = endpoint.host.clone();
        let given = Some((endpoint, authorization.clone()));
        Ok(Service { connection: self.connection.resolve_with(given)?, authorization, host })
    }
}

impl Service {
    /// Asks; `path` is encoded.
    ///
    /// # Errors
    /// As [`send`].
    pub fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> anyhow::Result<Answer> {
        let payload = body.map_or(Payload::None, Payload::Json);
        self.wait(method, path, headers, payload, Duration::ZERO)
    }

    /// As [`ask`](Self::ask) where the answer may take `patience` longer than it usually does.
    ///
    /// # Errors
    /// As there.
    pub fn wait(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        payload: Payload<'_>,
        patience: Duration,
    ) -> anyhow::Result<Answer> {
        let sign = if path.contains('?') { '&' } else { '?' };
        let target = format!("{path}{sign}api-version={API_VERSION}");
        let request = Request { authorization: &self.authorization, headers, payload, patience };
        send(&self.connection, method, &target, request)
    }

    /// All rows of an answer that comes in pages, one after the other.
    ///
    /// # Errors
    /// As [`send`], and those of `each`.
    pub fn rows(
        &self,
        method: Method,
        path: &str,
        body: Option<&[u8]>,
        mut each: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut token = String::new();
        loop {
            let headers = [("x-ms-max-item-count", PAGE_ROWS), ("x-ms-continuation", &*token)];
            let headers = if token.is_empty() { &headers[..1] } else { &headers[..] };
            let answer = self.ask(method, path, headers, body)?;
            let next = answer.header("x-ms-continuation").map(str::to_owned);
            elements(&answer.bytes()?)?.iter().try_for_each(|row| each(row))?;
            match next {
                Some(next) => token = next,
                None => return Ok(()),
            }
        }
    }

    /// What devices call the hub.
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// Reads a name as client identifiers have it: `device` or `device/module`.
///
/// # Errors
/// The rule that it breaks.
pub fn name(text: &str) -> Result<IdentityId, String> {
    IdentityId::parse(text).map_err(|why| format!("the name {why}"))
}

/// Where an identity or a twin lies: `/devices/{id}[/modules/{id}]`, below `/twins` the same.
pub fn path(below: &str, id: &IdentityId) -> String {
    let device = format!("{below}/{}", percent_encode(id.device.as_str()));
    match &id.module {
        None => device,
        Some(module) => format!("{device}/modules/{}", percent_encode(module.as_str())),
    }
}

/// `If-Match` for a state that the user names, else for any.
pub fn if_match(etag: Option<&str>) -> String {
    match etag {
        None | Some("*") => "*".to_owned(),
        Some(etag) => format!("\"{}\"", etag.trim_matches('"')),
    }
}

const API_VERSION: &str = "2021-04-12";
const PAGE_ROWS: &str = "1000";
const TOKEN_TTL_S: u64 = 3600;
