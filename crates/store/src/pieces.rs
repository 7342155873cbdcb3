//! Payloads that a start keeps, one behind the other in large pieces: a million small ones would
//! take longer to make and to free than to read, and leave the process as large as they made it.
//!
//! Owns the bytes. Refuses to know what they say, and forgets none before all.

use std::ops::Deref;
use std::sync::Arc;

/// Pieces that are being filled.
#[derive(Debug, Default)]
pub struct Pieces {
    full: Vec<Vec<u8>>,
    last: Vec<u8>,
}

/// Pieces that nothing is added to.
#[derive(Debug)]
pub struct Filled(Vec<Arc<Vec<u8>>>);

/// Where a payload lies in the pieces that it was put into.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    piece: u32,
    from: u32,
    bytes: u32,
}

/// A payload that keeps the piece it lies in.
#[derive(Debug, Clone)]
pub struct Payload {
    piece: Arc<Vec<u8>>,
    from: u32,
    bytes: u32,
}

impl Pieces {
    /// Copies a payload, which is below 4 GiB like every record.
    pub fn put(&mut self, payload: &[u8]) -> Place {
        if self.last.len() + payload.len() > self.last.capacity() {
            let room = Vec::with_capacity(PIECE_BYTES.max(payload.len()));
            let full = std::mem::replace(&mut self.last, room);
            if !full.is_empty() {
                self.full.push(full);
            }
        }
        let (piece, from) = (self.full.len() as u32, self.last.len() as u32);
        self.last.extend_from_slice(payload);
        Place { piece, from, bytes: payload.len() as u32 }
    }

    /// The payload that was put there.
    pub fn get(&self, place: Place) -> &[u8] {
        let piece = self.full.get(place.piece as usize).unwrap_or(&self.last);
        part(piece, place.from, place.bytes)
    }

    /// Nothing more comes.
    pub fn close(self) -> Filled {
        let Self { full, last } = self;
        Filled(full.into_iter().chain([last]).map(Arc::new).collect())
    }
}

impl Filled {
    /// The payload that was put there.
    pub fn get(&self, place: Place) -> &[u8] {
        part(&self.0[place.piece as usize], place.from, place.bytes)
    }

    /// As `get`, to keep.
    pub fn keep(&self, Place { piece, from, bytes }: Place) -> Payload {
        Payload { piece: Arc::clone(&self.0[piece as usize]), from, bytes }
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        part(&self.piece, self.from, self.bytes)
    }
}

fn part(piece: &[u8], from: u32, bytes: u32) -> &[u8] {
    &piece[from as usize..][..bytes as usize]
}

const PIECE_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_where_it_was_put() {
        let mut pieces = Pieces::default();
        let payload = |n: usize| vec![n as u8; [0, 7, 100_000, PIECE_BYTES + 1][n % 4]];
        let places: Vec<Place> = (0..100).map(|n| pieces.put(&payload(n))).collect();
        for (n, place) in places.iter().enumerate() {
            assert_eq!(pieces.get(*place), payload(n));
        }
        assert!(pieces.full.len() > 40, "{}", pieces.full.len());
        let filled = pieces.close();
        let kept: Vec<Payload> = places.iter().map(|place| filled.keep(*place)).collect();
        for (n, (place, kept)) in places.iter().zip(kept).enumerate() {
            assert_eq!((filled.get(*place), &*kept), (&*payload(n), &*payload(n)));
        }
    }
}
