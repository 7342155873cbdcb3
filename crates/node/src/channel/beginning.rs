//! A start: the channel that the log has goes on, or one begins, and so does what goes to each
//! endpoint. Refuses to know configurations.

use super::outlet::Outlet;
use super::reading::count;
use super::shared::Channel;
use hub::channel::{
    ENVELOPE, Entry as ChannelEntry, Found, FoundOutlet, Outlet as Position, Partitions, SLOTS_MAX,
    State, enqueued_ms,
};
use hub::route::Name;
use std::collections::BTreeMap;
use store::disk::Disk;
use store::log::{Batch, CommitError, Credit, Cursor, Damage, Hold, Kind, Log, Need, Records};
use store::op::{NamespaceId, Sequence};

/// Why a channel cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// It has another number of partitions.
    #[error(
        "the telemetry of this data directory has {} partitions, and {} are configured: their \
         number is fixed when a hub begins", kept.count(), wanted.count()
    )]
    Partitions {
        /// As the log has it.
        kept: Partitions,
        /// As it was asked for.
        wanted: Partitions,
    },
    /// The log cannot be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The log cannot be read.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// Something else is in a partition.
    #[error("record {0} in a partition is no message")]
    NoMessage(u64),
    /// The lists of an endpoint's messages cannot be read.
    #[error("cannot count what waits for endpoint {endpoint}: {why}")]
    Uncounted {
        /// Which.
        endpoint: String,
        /// Why.
        why: String,
    },
}

/// An endpoint that the log knows and the configuration does not: what waited for it is let go of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// What it was called.
    pub name: Name,
    /// So many messages waited.
    pub messages: u64,
}

/// Tells a log that nobody writes yet what its channel needs, and `channel` what there is; gives
/// the endpoints that are forgotten. Without a hub nothing begins, and what is there stays.
///
/// # Errors
/// Another number of partitions; a log that cannot be written or read.
pub fn begin<D: Disk>(
    channel: Option<&Channel>,
    log: &mut Log<D>,
    found: &mut Found,
    namespace: NamespaceId,
) -> Result<Vec<Forgotten>, BeginError> {
    let state = match (&found.state, channel) {
        (None, None) => return Ok(Vec::new()),
        (None, Some(channel)) => {
            let floor = Sequence(log.next_sequence().0 - 1);
            let partitions = channel.settings().partitions;
            let state = State { partitions, floor, marks: Vec::new() };
            let at = write(log, &ChannelEntry::State(state.clone()), namespace)?;
            found.state = Some((state.clone(), at));
            state
        }
        (Some((state, _)), _) => state.clone(),
    };
    let after = state.floor;
    log.tell(Channel::streams(state.partitions).map(|stream| Need::Hold { stream, after }));
    let Some(channel) = channel else {
        log.tell(found.outlets.iter().map(|(slot, outlet)| {
            let stream = Outlet::stream_of(*slot);
            Need::Hold { stream, after: outlet.after }
        }));
        return Ok(Vec::new());
    };
    let wanted = channel.settings().partitions;
    if wanted != state.partitions {
        return Err(BeginError::Partitions { kept: state.partitions, wanted });
    }
    channel.restore(&state);
    let forgotten = forget(channel, log, &mut found.outlets, namespace)?;
    for outlet in channel.outlets() {
        hold(outlet, log, &mut found.outlets, namespace)?;
    }
    weigh_rest(channel, log)?;
    Ok(forgotten)
}

/// Ends what goes to endpoints that are not configured any more.
fn forget<D: Disk>(
    channel: &Channel,
    log: &mut Log<D>,
    found: &mut BTreeMap<u8, FoundOutlet>,
    namespace: NamespaceId,
) -> Result<Vec<Forgotten>, BeginError> {
    let mut forgotten = Vec::new();
    let is_there = |name: &Name| channel.outlets().iter().any(|outlet| outlet.name() == name);
    let gone: Vec<u8> =
        found.iter().filter(|(_, one)| !is_there(&one.name)).map(|(slot, _)| *slot).collect();
    for slot in gone {
        let Some(FoundOutlet { name, after, at, first }) = found.remove(&slot) else { continue };
        let messages = waiting(log, (slot, &name), after)?;
        let none = Position { slot, name: None, after };
        let ended = write(log, &ChannelEntry::Outlet(none), namespace)?;
        log.tell([Need::Release(at), Need::Bury { oldest: first, at: ended }]);
        forgotten.push(Forgotten { name, messages });
    }
    Ok(forgotten)
}

/// What goes to an endpoint goes on, or begins with what comes from now on.
fn hold<D: Disk>(
    outlet: &Outlet,
    log: &mut Log<D>,
    found: &mut BTreeMap<u8, FoundOutlet>,
    namespace: NamespaceId,
) -> Result<(), BeginError> {
    let known = found.iter().find(|(_, one)| one.name == *outlet.name());
    let (slot, after) = match known {
        Some((slot, one)) => (*slot, one.after),
        None => {
            // There are more slots than endpoints.
            let slot = (0..SLOTS_MAX).find(|slot| !found.contains_key(slot)).unwrap_or_default();
            let (name, after) = (outlet.name().clone(), Sequence(log.next_sequence().0 - 1));
            let position = Position { slot, name: Some(name.clone()), after };
            let at = write(log, &ChannelEntry::Outlet(position), namespace)?;
            found.insert(slot, FoundOutlet { name, after, at, first: at });
            (slot, after)
        }
    };
    outlet.begin(slot, after);
    log.tell([Need::Hold { stream: outlet.stream(), after }]);
    let messages = waiting(log, (slot, outlet.name()), after)?;
    outlet.found(log.reader().last(outlet.stream()), messages);
    Ok(())
}

/// How many messages wait for an endpoint.
fn waiting<D: Disk>(
    log: &Log<D>,
    (slot, name): (u8, &Name),
    after: Sequence,
) -> Result<u64, BeginError> {
    let counted = count(&log.reader(), Outlet::stream_of(slot), after, Sequence(u64::MAX));
    counted.map_err(|why| BeginError::Uncounted { endpoint: name.as_str().to_owned(), why })
}

fn write<D: Disk>(
    log: &mut Log<D>,
    entry: &ChannelEntry,
    namespace: NamespaceId,
) -> Result<Sequence, CommitError> {
    let (mut records, mut batch, mut bytes) = (Records::default(), Batch::default(), Vec::new());
    entry.encode(&mut bytes);
    records.push(Kind(entry.kind()), Hold::UntilReleased, namespace, &[], &[&bytes]);
    batch.join(&mut records);
    log.commit(&mut batch).map(|committed| committed.first)
}

/// What has come since the last part that the log was told of: a few percent of the channel.
fn weigh_rest<D: Disk>(channel: &Channel, log: &Log<D>) -> Result<(), BeginError> {
    let reader = log.reader();
    let after = channel.marks().closed_up_to();
    let mut bad = None;
    for partition in 0..channel.settings().partitions.count() {
        if let Some(last) = reader.last(Channel::stream(partition)) {
            channel.tell(partition, last);
        }
    }
    let outlets = channel.outlets().iter().map(Outlet::stream);
    let streams = Channel::streams(channel.settings().partitions).chain(outlets);
    let streams = streams.map(|stream| (stream, after));
    let credit = Credit { records: usize::MAX, bytes: usize::MAX };
    reader.read(&mut Cursor::new(after, streams), credit, |record| {
        match enqueued_ms(record.payload) {
            Ok(ms) if record.kind == Kind(ENVELOPE) => {
                channel.weigh(record.sequence, (ms, record.payload.len()));
            }
            _ => bad = Some(record.sequence.0),
        }
    })?;
    bad.map_or(Ok(()), |at| Err(BeginError::NoMessage(at)))
}
