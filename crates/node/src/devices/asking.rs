//! What services ask of the home of a device, as plain data with the way back.

use super::known::Known;
use super::methods::Ticket;
use super::session::Way;
use super::{Credential, Metered, SCANNED_AT_ONCE};
use crate::door::Reply;
use crate::jobs::Work;
use crate::shard::Shard;
use hub::command::{DeadLetter, Delivery, Settlement, Waiting};
use hub::errors::{ErrorCode, Refusal};
use hub::identity::{self, Activity, BulkRow, Fresh, IdentityId, Packed, RowError, Wanted};
use hub::method::{self, Request};
use hub::plane::Status;
use hub::query::{Query, Refused, Source, Tally, TwinDocument};
use hub::registry::Ids;
use hub::telemetry::{ApplicationProperties, AuthMethod, SystemProperties};
use hub::twin::{About, IfVersion, Mode};
use hub::{Etag, IfMatch, LockToken};
use std::sync::Arc;

/// A request to the home of a device.
pub struct Asked {
    /// The device or module that it is about.
    pub id: IdentityId,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked of one identity. Each has its answer once, which comes when what it says is a
/// fact.
pub enum Ask {
    /// The identity (iot-hub C3, GET).
    Get(Reply<Result<Shown, Refusal>>),
    /// Another state of it, or a new one (C3, PUT).
    Put(Box<Wanted>, IfMatch, Box<Fresh>, Reply<Result<Placed, Refusal>>),
    /// Its end (C3, DELETE).
    Delete(IfMatch, Reply<Result<(), Refusal>>),
    /// A row of a bulk operation (C3, POST).
    Row(Box<BulkRow>, Box<Fresh>, Reply<Result<(), RowError>>),
    /// The modules of a device (C3).
    Modules(Reply<Result<Vec<Shown>, Refusal>>),
    /// Its twin (C4, GET).
    Twin(Reply<Result<TwinShown, Refusal>>),
    /// The last changes of its twin, as JSON.
    TwinHistory(Reply<Result<Vec<u8>, Refusal>>),
    /// A command, whose number is answered (C6).
    Send(Box<Sending>, Reply<Result<u64, Refusal>>),
    /// The end of all commands that wait (C6); how many there were.
    Purge(Reply<Result<u32, Refusal>>),
    /// A command for a device that comes by HTTP, locked for so many milliseconds (D6).
    Receive(u64, Reply<Result<Option<Received>, Refusal>>),
    /// What becomes of it.
    Settle(LockToken, Settlement, Reply<Result<(), Refusal>>),
    /// Its commands, to be looked at.
    Commands(Reply<Result<Commands, Refusal>>),
    /// Whether what somebody shows lets him in as the device itself (C2, D6), and whose it is.
    Verify(Credential, Reply<Result<AuthMethod, Refusal>>),
    /// Telemetry of a device that has proved itself so (D6).
    Event(Box<Sending>, AuthMethod, Reply<Result<(), Refusal>>),
    /// A direct method (C5), under a ticket of the caller's.
    Invoke(Box<Request>, Ticket, Reply<method::Outcome>),
    /// Who asked for it does not wait any more.
    HangUp(Ticket),
    /// A write into tags and desired (C4, PATCH and PUT), with the request's body.
    WriteTwin(Mode, Vec<u8>, IfMatch, Reply<Result<TwinShown, Refusal>>),
}

/// An identity with what is known of its connection.
#[derive(Debug)]
pub struct Shown {
    /// What it is.
    pub identity: Packed,
    /// Whether it is connected.
    pub activity: Activity,
}

/// A message to a device, or of one.
#[derive(Debug)]
pub struct Sending {
    /// The body.
    pub body: Vec<u8>,
    /// What the hub has names for.
    pub system: SystemProperties<'static>,
    /// What the sender made up.
    pub application: ApplicationProperties<'static>,
}

/// A command with its lock.
#[derive(Debug)]
pub struct Received {
    /// What settles it.
    pub token: LockToken,
    /// What it says, and how often it was abandoned.
    pub delivery: Delivery,
}

/// The commands of a device.
#[derive(Debug)]
pub struct Commands {
    /// Those that have not ended.
    pub waiting: Vec<Waiting>,
    /// Those that have ended badly, as far as they are kept.
    pub dead: Vec<DeadLetter>,
}

/// What became of a PUT.
#[derive(Debug)]
pub struct Placed {
    /// It is new.
    pub is_new: bool,
    /// As it is now.
    pub shown: Shown,
}

/// A twin as services read it (B1.1).
#[derive(Debug)]
pub struct TwinShown {
    /// Of tags and desired.
    pub etag: Etag,
    /// The document.
    pub json: Vec<u8>,
}

/// A part of all devices of one home.
#[derive(Debug, Clone)]
pub struct Page {
    /// They come behind this one, in order of their ids; `None` = from the first.
    pub after: Option<IdentityId>,
    /// At most so many; modules are neither counted nor shown.
    pub count: usize,
}

/// A part of a query over one home.
pub struct Scan {
    /// What is selected; of devices or of modules.
    pub query: Arc<Query>,
    /// Twins come behind this one, in order of their ids; `None` = from the first.
    pub after: Option<IdentityId>,
    /// At most so many rows.
    pub rows: usize,
    /// Where what is selected is counted together instead: what was counted before.
    pub tally: Option<Tally>,
}

/// What a scan has found.
#[derive(Debug)]
pub struct Scanned {
    /// Whose twin, and its row in JSON.
    pub rows: Vec<(IdentityId, Vec<u8>)>,
    /// Where it goes on; `None` = there are no more.
    pub next: Option<IdentityId>,
    /// What was counted with this part.
    pub tally: Option<Tally>,
}

/// How many devices one home has (C4, statistics).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Enabled devices.
    pub enabled: u64,
    /// Disabled devices.
    pub disabled: u64,
    /// Devices that are connected.
    pub connected: u64,
}

/// Something that waits for its turn at a device.
pub(crate) struct Job {
    pub id: IdentityId,
    pub wish: Wish,
}

/// What is wished, by whomever.
pub(crate) enum Wish {
    /// By a service.
    Service(Ask),
    /// By the device itself: its twin (A14.2).
    GetTwin(Way),
    /// By the device itself: a write into what it reports (A14.3).
    PatchReported(Way, IfVersion, Box<[u8]>),
    /// By a job: a write into tags and desired.
    JobTwin(Box<Work>),
}

impl Shard {
    /// A service asks something of a device at home here.
    pub(crate) fn asked(&mut self, asked: Asked) {
        let Asked { id, ask } = asked;
        if let Some((kind, bytes)) = ask.metered()
            && let Some(throttled) = self.throttle(kind, &id, bytes)
        {
            return ask.refuse(throttled.into());
        }
        if ask.is_momentary() {
            return self.decide_ask(id, ask);
        }
        self.wish(Job { id, wish: Wish::Service(ask) });
    }

    /// Something is wished of a device: now, or behind what it waits for.
    pub(super) fn wish(&mut self, job: Job) {
        let Some(behind) = self.devices.busy.get_mut(&job.id.device) else {
            return self.decide(job);
        };
        let Err(job) = behind.push(job) else { return };
        match job.wish {
            Wish::Service(ask) => ask.refuse(Refusal::new(ErrorCode::ServerBusy, TOO_MANY)),
            Wish::GetTwin(way) | Wish::PatchReported(way, ..) => {
                self.respond_failure(&way, Status::THROTTLED, TOO_MANY);
            }
            Wish::JobTwin(work) => self.job_twin_refused(&work),
        }
    }

    /// A job wishes to write into a twin.
    pub(crate) fn wish_job(&mut self, id: IdentityId, work: Box<Work>) {
        self.wish(Job { id, wish: Wish::JobTwin(work) });
    }

    /// A page of the devices at home here.
    pub(crate) fn page(&self, page: &Page) -> Vec<Shown> {
        let all = self.devices.known.after(page.after.as_ref().map(Ids::from));
        let devices = all.filter(|(identity, _)| identity.ids().module.is_none());
        let shown = |(identity, known): (&Packed, &Known)| Shown {
            identity: identity.clone(),
            activity: known.activity(),
        };
        devices.take(page.count).map(shown).collect()
    }

    /// How many devices are at home here.
    pub(crate) fn device_counts(&self) -> Counts {
        self.devices.counts
    }

    /// A part of a query: looks at so many twins that others are not kept waiting.
    ///
    /// # Errors
    /// What is counted together has too many groups.
    pub(crate) fn scan(&self, scan: Scan) -> Result<Scanned, Refused> {
        let Scan { query, after, rows, mut tally } = scan;
        let of_modules = query.source() == Source::Modules;
        let mut all = self.devices.known.after(after.as_ref().map(Ids::from));
        let (mut found, mut next) = (Vec::new(), None);
        for _ in 0..SCANNED_AT_ONCE {
            let Some((packed, known)) = all.next() else {
                return Ok(Scanned { rows: found, next: None, tally });
            };
            next = Some(packed);
            if packed.ids().module.is_some() != of_modules {
                continue;
            }
            let (identity, activity) = (packed.unpack(), known.activity());
            let about = About::of(&identity, &activity, known.model_id());
            let twin = known.twin(identity.generation);
            let document = TwinDocument { about: &about, twin: &twin };
            if !query.matches(&document) {
                continue;
            }
            if let Some(tally) = &mut tally {
                tally.count(&document)?;
                continue;
            }
            let mut row = Vec::new();
            query.write_row(&document, &mut row);
            found.push((identity.id(), row));
            if found.len() >= rows {
                break;
            }
        }
        let next = next.map(|packed| packed.unpack().id());
        Ok(Scanned { rows: found, next, tally })
    }
}

impl Counts {
    pub(super) fn add(&mut self, identity: &Packed, known: &Known) {
        if let Some((status, connected)) = self.of(identity) {
            *status += 1;
            *connected += u64::from(known.is_connected());
        }
    }

    pub(super) fn sub(&mut self, identity: &Packed, known: &Known) {
        if let Some((status, connected)) = self.of(identity) {
            *status -= 1;
            *connected -= u64::from(known.is_connected());
        }
    }

    /// Where a device is counted; a module is not.
    fn of(&mut self, identity: &Packed) -> Option<(&mut u64, &mut u64)> {
        let Self { enabled, disabled, connected } = self;
        let status = match identity.status() {
            identity::Status::Enabled => enabled,
            identity::Status::Disabled => disabled,
        };
        identity.ids().module.is_none().then_some((status, connected))
    }
}

impl Ask {
    /// As what it is counted, and its bytes. Identities are counted where they are asked for.
    fn metered(&self) -> Option<(Metered, usize)> {
        match self {
            Self::Twin(_) => Some((Metered::TwinReads, 0)),
            Self::WriteTwin(_, body, ..) => Some((Metered::TwinUpdates, body.len())),
            Self::Send(sending, _) => Some((Metered::Commands, sending.body.len())),
            Self::Event(sending, ..) => Some((Metered::Telemetry, sending.body.len())),
            Self::Invoke(request, ..) => Some((Metered::MethodBytes, request.payload.len())),
            _ => None,
        }
    }

    /// Answers with a refusal.
    pub(crate) fn refuse(self, refusal: Refusal) {
        match self {
            Self::Get(reply) => reply(Err(refusal)),
            Self::Put(.., reply) => reply(Err(refusal)),
            Self::Delete(_, reply) => reply(Err(refusal)),
            Self::Row(row, _, reply) => reply(Err(row.error(refusal))),
            Self::Modules(reply) => reply(Err(refusal)),
            Self::TwinHistory(reply) => reply(Err(refusal)),
            Self::Invoke(.., reply) => reply(Err(refusal.into())),
            Self::HangUp(_) => {}
            Self::Send(_, reply) => reply(Err(refusal)),
            Self::Purge(reply) => reply(Err(refusal)),
            Self::Receive(_, reply) => reply(Err(refusal)),
            Self::Settle(.., reply) => reply(Err(refusal)),
            Self::Commands(reply) => reply(Err(refusal)),
            Self::Verify(_, reply) => reply(Err(refusal)),
            Self::Event(.., reply) => reply(Err(refusal)),
            Self::Twin(reply) | Self::WriteTwin(.., reply) => reply(Err(refusal)),
        }
    }
}

const TOO_MANY: &str = "too many requests for this device wait, try again";
