//! Looking for something in a file that cannot be walked: the next byte that was written, the
//! heads of batches. Refuses to know what it means that one is there.

use super::batch::{BATCH_HEAD, BatchHead, MARK};
use crate::disk::File;
use std::io;
use std::ops::ControlFlow;

/// Where the first byte that is not zero stands, from `from` to `end`.
pub(super) fn first_written(file: &impl File, from: u64, end: u64) -> io::Result<Option<u64>> {
    let mut piece = vec![0; PIECE];
    let mut at = from;
    while at < end {
        let want = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
        let got = file.read_at(at, &mut piece[..want])?;
        if got == 0 {
            break;
        }
        if let Some(first) = piece[..got].iter().position(|b| *b != 0) {
            return Ok(Some(at + first as u64));
        }
        at += got as u64;
    }
    Ok(None)
}

/// Gives the heads of batches of this log that begin from `from` to `end` to `each`, with their
/// places, until it breaks.
pub(super) fn batches<T>(
    file: &impl File,
    identity: u64,
    (from, end): (u64, u64),
    mut each: impl FnMut(u64, BatchHead) -> ControlFlow<T>,
) -> io::Result<Option<T>> {
    let mut piece = vec![0; PIECE];
    let mut at = from;
    while at < end {
        let want = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
        let got = file.read_at(at, &mut piece[..want])?;
        if got < BATCH_HEAD {
            break;
        }
        for start in 0..=got - BATCH_HEAD {
            if piece[start..start + 4] == MARK.to_le_bytes()
                && let Some(head) = BatchHead::parse(&piece[start..got], identity)
                && let ControlFlow::Break(found) = each(at + start as u64, head)
            {
                return Ok(Some(found));
            }
        }
        at += (got - BATCH_HEAD + 1) as u64;
    }
    Ok(None)
}

const PIECE: usize = 256 * 1024;
