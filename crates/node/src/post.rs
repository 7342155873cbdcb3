//! What goes from one thread to a reactor: publishes of other reactors in one batch a turn, and
//! single requests of the control plane.

use crate::auth::AuthOutcome;
use crate::channel::{GroupAsk, Taken};
use crate::devices::{Asked, Counts, Page, Scan, Scanned, Shown};
use crate::door::{Ingress, PublishRequest, Reply};
use crate::durable::ReadAnswer;
use crate::feedback::{FeedbackAsk, News};
use crate::inspect::{SessionDetail, SessionSummary};
use crate::jobs::{JobAsk, Mail as JobMail};
use crate::link::LinkId;
use crate::record::Record;
use crate::session::Origin;
use crate::share::Mail;
use crate::tally::Tally;
use broker::budget::Charge;
use broker::publication::Publication;
use broker::share::{Handout, MemberId};
use engine::Facts;
use hub::query::Refused;
use mqtt::qos::QoS;
use std::sync::Arc;

/// A message to a reactor.
pub enum Post {
    /// Publishes accepted by another reactor in one turn.
    Publishes(Box<PublishBatch>),
    /// Records that have become facts, or have not, of all reactors.
    Facts(Arc<Facts<Record>>),
    /// What was read of the log for a session.
    Read(Box<ReadAnswer>),
    /// A publish from outside MQTT.
    Ingress(Box<Ingress>),
    /// A retained message of the broker itself: nobody's permissions are asked.
    Own(Box<PublishRequest>),
    /// A request to the home of a device.
    Asked(Box<Asked>),
    /// Some of the devices at home here.
    Devices(Box<Page>, Reply<Vec<Shown>>),
    /// How many devices are at home here.
    DeviceCounts(Reply<Counts>),
    /// A part of a query over the twins at home here.
    Scan(Box<Scan>, Reply<Result<Scanned, Refused>>),
    /// Something of consumer groups: to reactor 0.
    Groups(Box<GroupAsk>),
    /// How far an endpoint has taken what goes to it: to reactor 0.
    Taken(Box<Taken>),
    /// Something of the feedback of commands: to reactor 0.
    Feedback(Box<FeedbackAsk>),
    /// Something of jobs: to reactor 0.
    Jobs(Box<JobAsk>),
    /// The answer to an authentication.
    Authenticated(LinkId, AuthOutcome),
    /// All sessions at home here.
    Sessions(Reply<Vec<SessionSummary>>),
    /// One session.
    Session(String, Reply<Option<SessionDetail>>),
    /// End a session's connection; answers whether there was one.
    Disconnect(String, Reply<bool>),
    /// End a session; the answer comes when the log knows it.
    Delete(String, Reply<Deleted>),
}

/// What became of the wish to end a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is over, for good.
    Done,
    /// There was none.
    Absent,
    /// It is over, but the disk has not taken that: a start would find it again until it has.
    Unstored {
        /// For people.
        why: &'static str,
    },
}

/// What one reactor has for another after a turn: accepted publishes, in order (small ones lie in
/// one buffer), the traffic of shared groups, what has become of commands,
/// and jobs.
#[derive(Default)]
pub struct PublishBatch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) items: Vec<PostedPublish>,
    /// What shared groups hand to sessions there.
    pub(crate) handouts: Vec<Handout>,
    /// What members report to groups there.
    pub(crate) mail: Vec<(MemberId, Mail)>,
    /// What has become of commands; to reactor 0.
    pub(crate) feedback: Vec<News>,
    /// Of jobs, to reactor 0 and from it.
    pub(crate) jobs: Vec<JobMail>,
    /// It is heard after the commit with this record.
    pub(crate) after: u64,
    /// Its bytes in the budget until it has arrived.
    pub(crate) charge: Option<Charge>,
}

pub(crate) struct PostedPublish {
    pub origin: Origin,
    pub order: u64,
    pub content: Content,
    pub tally: Option<Arc<Tally>>,
}

pub(crate) enum Content {
    /// Topic, properties and payload, one after the other in the batch's buffer.
    Inline { topic: u32, properties: u32, payload: u32, qos: QoS, retain: bool, deadline_ms: u64 },
    /// Somebody keeps it anyway.
    Shared(Arc<Publication>),
}

impl PublishBatch {
    /// Bytes that it holds itself: what it shares is charged where it was made.
    pub(crate) fn own_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.items.capacity() * size_of::<PostedPublish>()
            + self.handouts.capacity() * size_of::<Handout>()
            + self.mail.capacity() * size_of::<(MemberId, Mail)>()
            + self.feedback.capacity() * size_of::<News>()
            + self.jobs.capacity() * size_of::<JobMail>()
    }

    /// Bytes that wait in this batch; what `limits.post_bytes_max` bounds.
    pub fn bytes(&self) -> usize {
        let shared = |p: &PostedPublish| match &p.content {
            Content::Shared(publication) => publication.bytes(),
            Content::Inline { .. } => 0,
        };
        self.bytes.len()
            + self.items.len() * size_of::<PostedPublish>()
            + self.items.iter().map(shared).sum::<usize>()
            + self.handouts.iter().map(|h| h.publication.bytes()).sum::<usize>()
            + self.handouts.len() * size_of::<Handout>()
            + self.mail.iter().map(|(_, mail)| size_of::<Mail>() + mail.bytes()).sum::<usize>()
            + self.feedback.iter().map(|news| size_of::<News>() + news.bytes()).sum::<usize>()
            + self.jobs.iter().map(|mail| size_of::<JobMail>() + mail.bytes()).sum::<usize>()
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        let is_quiet = self.handouts.is_empty() && self.mail.is_empty();
        self.items.is_empty() && is_quiet && self.feedback.is_empty() && self.jobs.is_empty()
    }
}
