//! What HTTP needs of the data plane: one small trait, implemented by the hub and by the tests'
//! double. Refuses to know reactors and posts.

use std::sync::Arc;

use broker::access::{Authorizer, Principal};
use broker::limits::Limits;
use broker::retained::Retained;
use hub::query::Refused;
use node::channel::GroupAsk;
use node::devices::{self, Asked, Counts, Page, Scan, Scanned, Shown};
use node::door::{PublishRequest, Published};
use node::feedback::FeedbackAsk;
use node::inspect::{SessionDetail, SessionSummary};
use node::jobs::JobAsk;
use node::post::Deleted;
use tokio::time::Duration;

use super::websocket::Upgraded;
use crate::backup::Source;
use crate::feed::Feed;
use crate::keep::State;
use crate::outlet::Endpoint;

/// The data plane as HTTP sees it. Cheap to clone handles behind it; every method may be called
/// from any tokio thread.
pub trait Backend: Send + Sync + 'static {
    /// The one door. Publishes whose futures are first polled one after the other are published in
    /// that order. When it returns `Accepted` the message is as durable as core 2 says.
    fn publish(
        &self,
        who: Arc<Principal>,
        request: PublishRequest,
    ) -> impl Future<Output = Published> + Send;

    /// The retained messages.
    fn retained(&self) -> &Retained;

    /// Bounds of the namespace.
    fn limits(&self) -> &Limits;

    /// The same authorizer that MQTT asks.
    fn authorizer(&self) -> &Authorizer;

    /// All sessions, absent ones included.
    fn sessions(&self) -> impl Future<Output = Vec<SessionSummary>> + Send;

    /// One session in full.
    fn session(&self, client_id: &str) -> impl Future<Output = Option<SessionDetail>> + Send;

    /// Ends the connection with 0x98; the session stays. `false` when there is none.
    fn disconnect(&self, client_id: &str) -> impl Future<Output = bool> + Send;

    /// Ends the session and forgets it; the answer comes when a restart does not find it again.
    fn delete(&self, client_id: &str) -> impl Future<Output = Deleted> + Send;

    /// What all homes of devices share; `None` = there is no hub.
    fn hub(&self) -> Option<&devices::Hub>;

    /// The telemetry of the hub, for readers; `None` = there is no hub.
    fn feed(&self) -> Option<&Arc<Feed>>;

    /// The hub's own endpoints, in the order of [`Feed::outlets`].
    fn endpoints(&self) -> &[Arc<Endpoint>];

    /// Asks something of consumer groups. The answer comes by the request's own way, unless the
    /// server ends first.
    fn groups(&self, ask: GroupAsk);

    /// Asks something of the feedback of commands, likewise.
    fn feedback(&self, ask: FeedbackAsk);

    /// Asks something of jobs, likewise.
    fn jobs(&self, ask: JobAsk);

    /// Asks the home of a device. The answer comes by the request's own way, unless the server
    /// ends first.
    fn ask(&self, asked: Asked);

    /// How many homes devices have.
    fn homes(&self) -> usize;

    /// Some of the devices of one home; `None` when the server ends.
    fn devices(&self, home: usize, page: Page) -> impl Future<Output = Option<Vec<Shown>>> + Send;

    /// How many devices there are; `None` when the server ends.
    fn device_counts(&self) -> impl Future<Output = Option<Counts>> + Send;

    /// A part of a query over the twins of one home; `None` when the server ends.
    fn scan(
        &self,
        home: usize,
        scan: Scan,
    ) -> impl Future<Output = Option<Result<Scanned, Refused>>> + Send;

    /// Takes a connection whose WebSocket handshake is done.
    fn take_in(&self, upgraded: Upgraded);

    /// Counters and gauges of the data plane.
    fn counters(&self) -> Vec<Family>;

    /// How the log is doing; `None` where everything is kept in memory.
    fn log(&self) -> Option<State>;

    /// The log as it is now, to be copied; `None` where everything is kept in memory.
    fn backup(&self) -> Option<Source>;

    /// The domain clock, in ms since 1970.
    fn wall_ms(&self) -> u64;

    /// Moves the domain clock (dev only; the caller has checked that).
    fn advance(&self, by: Duration);

    /// Whether every listener accepts and nothing shuts down.
    fn ready(&self) -> bool;
}

/// One metric with all its samples, as Prometheus groups them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub samples: Vec<Sample>,
}

/// Labels and value.
pub type Sample = (Vec<(&'static str, String)>, u64);

/// What a metric does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}
