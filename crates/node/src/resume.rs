//! What a start tells the log of what was found in it, before anybody writes.
//!
//! Owns the order: sessions that lost their client identifier end in the log before their records
//! go. Refuses to know where the log lies and what is done with those that were found.

use crate::journal::{Entry, Found, FoundGroup, SessionEnded};
use store::disk::Disk;
use store::log::{Batch, CommitError, Hold, Log, Need, Records};
use store::op::{NamespaceId, Sequence};

/// Takes out of `found` what means nothing any more and tells `log`. Gives the log's last record.
///
/// # Errors
/// A log that cannot be written.
pub fn resume<D: Disk>(
    log: &mut Log<D>,
    found: &mut Found,
    namespace: NamespaceId,
) -> Result<Sequence, CommitError> {
    end_replaced(log, found, namespace)?;
    log.tell(found.end_groups().into_iter().map(Need::Release));
    let hold =
        |group: &FoundGroup| Need::Hold { stream: group.progress.stream, after: group.cursor() };
    log.tell(found.groups.iter().map(hold));
    log.tell(found.stale.drain(..).map(Need::Release));
    log.tell(found.tombstones.drain(..).map(|(oldest, at)| Need::Bury { oldest, at }));
    Ok(Sequence(log.next_sequence().0 - 1))
}

fn end_replaced<D: Disk>(
    log: &mut Log<D>,
    found: &mut Found,
    namespace: NamespaceId,
) -> Result<(), CommitError> {
    if found.replaced.is_empty() {
        return Ok(());
    }
    let (mut records, mut batch, mut bytes) = (Records::default(), Batch::default(), Vec::new());
    for replaced in &found.replaced {
        bytes.clear();
        let entry = Entry::SessionEnded(SessionEnded { session: replaced.session });
        entry.encode(&mut bytes);
        records.push(entry.kind(), Hold::UntilReleased, namespace, &[], &[&bytes]);
    }
    batch.join(&mut records);
    let committed = log.commit(&mut batch)?;
    let ended = found.replaced.drain(..).zip(committed.first.0..);
    log.tell(ended.map(|(r, at)| Need::Bury { oldest: r.first, at: Sequence(at) }));
    Ok(())
}
