//! Bytes on their way to a socket. A connection owns a buffer only while bytes wait; idle ones
//! own nothing (performance.md 3.2).

/// What waits for one socket.
#[derive(Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    /// How much of `bytes` the socket has taken.
    sent: usize,
}

/// Empty buffers, last in first out: the warm one is used first.
pub(crate) struct Pool {
    buffers: Vec<Vec<u8>>,
}

impl Output {
    /// Bytes not yet taken.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// What to write.
    #[inline]
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Where to append.
    #[inline]
    pub fn buffer(&mut self, pool: &mut Pool) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = pool.buffers.pop().unwrap_or_else(|| Vec::with_capacity(FIRST_BYTES));
        }
        &mut self.bytes
    }

    /// The socket took `n` bytes; an emptied buffer goes back.
    #[inline]
    pub fn taken(&mut self, n: usize, pool: &mut Pool) {
        self.sent += n;
        if self.sent == self.bytes.len() {
            let mut buffer = std::mem::take(&mut self.bytes);
            self.sent = 0;
            buffer.clear();
            if buffer.capacity() <= KEPT_BYTES_MAX && pool.buffers.len() < POOLED_MAX {
                pool.buffers.push(buffer);
            }
        } else if self.sent > COMPACT_BYTES {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Forgets everything.
    pub fn discard(&mut self, pool: &mut Pool) {
        self.taken(self.len(), pool);
    }
}

impl Pool {
    pub fn new() -> Self {
        Self { buffers: Vec::new() }
    }
}

const FIRST_BYTES: usize = 2_048;
/// A buffer that grew above this is freed instead of pooled.
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// More than a turn fills at once is not kept.
const POOLED_MAX: usize = 1_024;
/// A slow socket's buffer is moved down once this much was taken from its front.
const COMPACT_BYTES: usize = 256 * 1024;
