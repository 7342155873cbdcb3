//! What waits until a write of its device is a fact, in order. Refuses to know what is asked.

use super::asking::{Ask, Job, Wish};
use std::collections::VecDeque;

#[derive(Default)]
pub(super) struct Behind {
    jobs: VecDeque<Job>,
    bytes: usize,
}

impl Behind {
    /// Puts a job at the end.
    ///
    /// # Errors
    /// The job, if too much waits.
    pub fn push(&mut self, job: Job) -> Result<(), Job> {
        let bytes = self.bytes.saturating_add(job.bytes());
        if self.jobs.len() >= JOBS_MAX || (!self.jobs.is_empty() && bytes > BYTES_MAX) {
            return Err(job);
        }
        self.bytes = bytes;
        self.jobs.push_back(job);
        Ok(())
    }

    /// The next job.
    pub fn pop(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.bytes -= job.bytes();
        Some(job)
    }

    /// What waited for longer comes first.
    pub fn behind(&mut self, mut earlier: Self) {
        earlier.jobs.append(&mut self.jobs);
        earlier.bytes += self.bytes;
        *self = earlier;
    }
}

impl Job {
    /// What it brings with it.
    fn bytes(&self) -> usize {
        match &self.wish {
            Wish::PatchReported(_, _, patch) => patch.len(),
            Wish::Service(Ask::WriteTwin(_, body, ..)) => body.len(),
            Wish::Service(Ask::Row(row, ..)) => row.twin.as_ref().map_or(0, |t| t.request.len()),
            // What a job writes is the same for all its devices.
            Wish::Service(_) | Wish::GetTwin(_) | Wish::JobTwin(_) => 0,
        }
    }
}

const JOBS_MAX: usize = 1_000;
/// A device can send its patches faster than the disk takes them: its other bound.
const BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::After;
    use crate::devices::session::{To, Way};
    use crate::link::LinkId;
    use hub::identity::IdentityId;
    use hub::twin::IfVersion;

    fn job(bytes: usize) -> Job {
        let (link, to) = (LinkId { slot: 0, generation: 0 }, To::Rid("1".into()));
        let way = Way { link, to, after: After::Stays };
        let patch = vec![b' '; bytes].into();
        let id = IdentityId::parse("d").unwrap();
        Job { id, wish: Wish::PatchReported(way, IfVersion::Any, patch) }
    }

    #[test]
    fn so_many_and_so_many_bytes_wait() {
        let mut few = Behind::default();
        assert!(few.push(job(BYTES_MAX + 1)).is_ok(), "one may always wait");
        assert!(few.push(job(0)).is_err());
        few.pop();
        assert!(few.push(job(BYTES_MAX)).is_ok() && few.push(job(0)).is_ok());
        assert!(few.push(job(1)).is_err());
        let mut many = Behind::default();
        assert_eq!((0..=JOBS_MAX).filter(|_| many.push(job(1)).is_ok()).count(), JOBS_MAX);
        many.behind(few);
        assert_eq!((many.bytes, many.jobs.len()), (BYTES_MAX + JOBS_MAX, JOBS_MAX + 2));
        assert_eq!(many.pop().map(|job| job.bytes()), Some(BYTES_MAX), "it came earlier");
    }
}
