//! A start: the channel that the log has goes on, or one begins. Refuses to know configurations.

use super::shared::Channel;
use hub::channel::{ENVELOPE, Entry as ChannelEntry, Found, Partitions, State, enqueued_ms};
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
}

/// Tells a log that nobody writes yet what its channel needs, and `channel` what there is. Without
/// a hub nothing begins, and what is there stays.
///
/// # Errors
/// Another number of partitions; a log that cannot be written or read.
pub fn begin<D: Disk>(
    channel: Option<&Channel>,
    log: &mut Log<D>,
    found: &mut Found,
    namespace: NamespaceId,
) -> Result<(), BeginError> {
    let state = match (&found.state, channel) {
        (None, None) => return Ok(()),
        (None, Some(channel)) => {
            let floor = Sequence(log.next_sequence().0 - 1);
            let partitions = channel.settings().partitions;
            let state = State { partitions, floor, marks: Vec::new() };
            let at = write(log, &state, namespace)?;
            found.state = Some((state.clone(), at));
            state
        }
        (Some((state, _)), _) => state.clone(),
    };
    let after = state.floor;
    log.tell(Channel::streams(state.partitions).map(|stream| Need::Hold { stream, after }));
    let Some(channel) = channel else { return Ok(()) };
    let wanted = channel.settings().partitions;
    if wanted != state.partitions {
        return Err(BeginError::Partitions { kept: state.partitions, wanted });
    }
    channel.restore(&state);
    weigh_rest(channel, log)
}

fn write<D: Disk>(
    log: &mut Log<D>,
    state: &State,
    namespace: NamespaceId,
) -> Result<Sequence, CommitError> {
    let (mut records, mut batch, mut bytes) = (Records::default(), Batch::default(), Vec::new());
    let entry = ChannelEntry::State(state.clone());
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
    let streams = Channel::streams(channel.settings().partitions).map(|stream| (stream, after));
    let credit = Credit { records: usize::MAX, bytes: usize::MAX };
    reader.read(&mut Cursor::new(after, streams), credit, |record| {
        let partition = record.streams().next().map(|s| s.0 - Channel::stream(0).0);
        match (enqueued_ms(record.payload), partition) {
            (Ok(ms), Some(partition)) if record.kind == Kind(ENVELOPE) => {
                let what = (ms, record.payload.len());
                channel.appended(partition as usize, record.sequence, what);
            }
            _ => bad = Some(record.sequence.0),
        }
    })?;
    bad.map_or(Ok(()), |at| Err(BeginError::NoMessage(at)))
}
