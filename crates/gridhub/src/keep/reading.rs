//! The thread that reads the log for sessions.

use crate::net::{Inbox, Parcel};
use node::{ReadJob, answer};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use store::disk::File;
use store::log::Reader;

/// Starts it; it ends when nobody can ask any more.
pub(super) fn start<F: File>(
    reader: Reader<F>,
    inboxes: Arc<[Arc<Inbox>]>,
) -> anyhow::Result<Sender<(usize, Box<ReadJob>)>> {
    let (reads, asked) = channel::<(usize, Box<ReadJob>)>();
    std::thread::Builder::new().name("log-reader".into()).spawn(move || {
        for (reactor, job) in asked {
            inboxes[reactor].send(Parcel::Post(answer(&reader, *job)));
        }
    })?;
    Ok(reads)
}
