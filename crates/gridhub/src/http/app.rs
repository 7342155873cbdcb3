//! What every request needs, built once. Owns the state that is HTTP's own: idempotency keys, rate
//! buckets, counters, request ids.

use std::num::NonZeroU32;
use std::ops::Deref;
use std::sync::Arc;

use broker::access::Principal;
use hyper::HeaderMap;
use hyper::body::Bytes;
use tokio::time::Duration;

use super::api_version::ApiVersions;
use super::bearer::{self, Bearer};
use super::body::{BodyTimes, Bounds, Budget};
use super::error::HttpError;
use super::metrics::Counters;
use super::publish::idempotency::Keys;
use super::rate::RateLimit;
use super::request_id::RequestIds;

/// A shared handle on everything that requests need. Several listeners may serve one `App`.
pub struct App<B>(Arc<Inner<B>>);

/// The fields of [`App`].
pub struct Inner<B> {
    pub backend: B,
    pub bearer: Arc<dyn Bearer>,
    pub settings: Settings,
    pub keys: Arc<Keys>,
    pub bodies: Arc<Budget>,
    pub rate: Option<RateLimit>,
    pub counters: Counters,
    pub request_ids: RequestIds,
}

/// How HTTP behaves; every field has a default that fits `gridhub dev`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The values of `api-version` on `/mqtt/*`.
    pub api_versions: ApiVersions,
    /// Messages a second and principal over HTTP; `None` = no limit.
    pub publish_per_second_max: Option<NonZeroU32>,
    /// Whether `POST /admin/clock` may move the domain clock.
    pub clock: ClockControl,
    /// The body of `GET /.well-known/jwks.json`; `None` = there is no such document (404).
    pub jwks: Option<Bytes>,
    /// Connections of one listener at once. At it no further one is accepted until one ends.
    pub connections_max: usize,
    /// From accept to the end of the TLS handshake (core 6).
    pub handshake_time: Duration,
    /// For a request's head, and the longest idle time of a kept HTTP/1.1 connection.
    pub head_time: Duration,
    /// For a request's body.
    pub body_times: BodyTimes,
    /// All bodies in memory together. At it 503.
    pub bodies_bytes_max: usize,
    /// For answers under way when the server stops.
    pub drain_time: Duration,
}

/// Who may move the domain clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockControl {
    /// Contributors, by `POST /admin/clock` (`gridhub dev`).
    Dev,
    /// Nobody: it follows the machine's.
    Fixed,
}

impl<B: super::backend::Backend> App<B> {
    /// An app with nothing remembered.
    pub fn new(backend: B, bearer: Arc<dyn Bearer>, settings: Settings) -> Self {
        let keys = Arc::new(Keys::new(backend.limits().idempotency_keys_max));
        let bodies = Arc::new(Budget::new(settings.bodies_bytes_max));
        let rate = settings.publish_per_second_max.map(RateLimit::new);
        App(Arc::new(Inner {
            backend,
            bearer,
            settings,
            keys,
            bodies,
            rate,
            counters: Counters::new(),
            request_ids: RequestIds::new(),
        }))
    }

    /// What holds for the body of one request.
    pub fn body_bounds(&self, bytes_max: usize) -> Bounds<'_> {
        Bounds { bytes_max, times: self.settings.body_times, budget: &self.bodies }
    }

    /// Who asks; 401 otherwise.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Principal>, HttpError> {
        bearer::authenticate(&*self.bearer, headers)
    }
}

impl<B> Deref for App<B> {
    type Target = Inner<B>;

    fn deref(&self) -> &Inner<B> {
        &self.0
    }
}

impl<B> Clone for App<B> {
    fn clone(&self) -> Self {
        App(Arc::clone(&self.0))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            api_versions: ApiVersions::published(),
            publish_per_second_max: None,
            clock: ClockControl::Fixed,
            jwks: None,
            connections_max: 10_000,
            handshake_time: Duration::from_secs(30),
            head_time: Duration::from_secs(60),
            body_times: BodyTimes { idle: Duration::from_secs(15), total: Duration::from_secs(60) },
            bodies_bytes_max: 256 * 1024 * 1024,
            drain_time: Duration::from_secs(4),
        }
    }
}
