//! What every request needs, built once. Owns the state that is HTTP's own: idempotency keys, rate
//! buckets, counters, request ids.

use std::num::NonZeroU32;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hyper::body::Bytes;
use hyper::http::request::Parts;
use tokio::sync::Semaphore;
use tokio::time::Duration;

use super::api_version::ApiVersions;
use super::bearer::{self, Bearer};
use super::body::{BodyTimes, Bounds, Budget};
use super::call::{Call, Caller};
use super::counters::Counters;
use super::error::HttpError;
use super::publish::idempotency::Keys;
use super::rate::{RateLimit, Rates};
use super::refusals::Refusals;
use super::request_id::RequestIds;
use crate::auth::tls::Trust;
use crate::config::Profile;
use crate::config::http::HttpConfig;

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
    pub refusals: Arc<Refusals>,
    pub request_ids: RequestIds,
    /// The next ticket of a direct method.
    pub tickets: AtomicU64,
    /// Held while a backup is made: one at a time.
    pub backup: Arc<Semaphore>,
}

/// How HTTP behaves. The default is that of an empty configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The values of `api-version` on `/mqtt/*`.
    pub api_versions: ApiVersions,
    /// What each principal may publish in a second.
    pub rates: Rates,
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
    /// Which client certificates are of an authority; `None` = none are asked for.
    pub trust: Option<Arc<Trust>>,
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
        let rate = RateLimit::new(settings.rates);
        App(Arc::new(Inner {
            backend,
            bearer,
            settings,
            keys,
            bodies,
            rate,
            counters: Counters::new(),
            refusals: Arc::default(),
            request_ids: RequestIds::new(),
            tickets: AtomicU64::new(1),
            backup: Arc::new(Semaphore::new(1)),
        }))
    }

    /// What holds for the body of one request.
    pub fn body_bounds(&self, bytes_max: usize) -> Bounds<'_> {
        Bounds { bytes_max, times: self.settings.body_times, budget: &self.bodies }
    }

    /// Who asks.
    ///
    /// # Errors
    /// 401, see [`bearer::authenticate`].
    pub fn authenticate(&self, head: &Parts) -> Result<Caller, HttpError> {
        let who = bearer::authenticate(&*self.bearer, &head.headers)?;
        Ok(Call::of(&head.extensions).caller(who))
    }
}

impl Settings {
    /// What the configuration says; the clock is fixed and there are no keys to show.
    pub fn of(config: &HttpConfig, profile: Profile) -> Self {
        let config = config.effective(profile);
        Settings {
            api_versions: ApiVersions::published().and(config.api_versions),
            rates: Rates {
                messages: config.publish_per_second_max.and_then(NonZeroU32::new),
                bytes: NonZeroU32::new(config.publish_bytes_per_second_max),
            },
            clock: ClockControl::Fixed,
            jwks: None,
            connections_max: config.connections_max,
            handshake_time: config.handshake_time.get(),
            head_time: config.idle_time.get(),
            body_times: BodyTimes {
                idle: config.body_idle_time.get(),
                total: config.body_time.get(),
            },
            bodies_bytes_max: config.bodies_bytes_max,
            drain_time: DRAIN_TIME,
            trust: None,
        }
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
        Self::of(&HttpConfig::default(), Profile::Open)
    }
}

/// A stop takes at most five seconds (product 3), and reactors need some of them.
const DRAIN_TIME: Duration = Duration::from_secs(4);
