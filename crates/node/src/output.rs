//! Bytes on their way to a socket. A connection owns a buffer only while bytes wait; idle ones
//! own nothing (performance.md 3.2).

/// What waits for one socket.
#[derive(Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    /// How much of `bytes` the socket has taken.
    sent: usize,
    /// Its capacity as the pool has counted it.
    counted: usize,
}

/// Empty buffers, last in first out: the warm one is used first.
pub(crate) struct Pool {
    buffers: Vec<Vec<u8>>,
    /// Capacity of all of them.
    bytes: usize,
    /// Capacity of those that hold output, as last counted.
    lent: usize,
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
            self.bytes = pool.take();
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
            pool.lent -= std::mem::take(&mut self.counted);
            buffer.clear();
            pool.give_back(buffer);
        } else if self.sent > COMPACT_BYTES {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Counts what the buffer has grown to: once a turn, not at each append.
    #[inline]
    pub fn count(&mut self, pool: &mut Pool) {
        let capacity = self.bytes.capacity();
        pool.lent = pool.lent - self.counted + capacity;
        self.counted = capacity;
    }

    /// Forgets everything.
    pub fn discard(&mut self, pool: &mut Pool) {
        self.taken(self.len(), pool);
    }
}

impl Pool {
    pub fn new() -> Self {
        Self { buffers: Vec::new(), bytes: 0, lent: 0 }
    }

    /// Bytes of the buffers that hold output.
    pub fn lent_bytes(&self) -> usize {
        self.lent
    }

    /// Bytes of the empty ones.
    pub fn spare_bytes(&self) -> usize {
        self.bytes
    }

    /// Frees the empty ones.
    pub fn release(&mut self) {
        self.buffers = Vec::new();
        self.bytes = 0;
    }

    fn take(&mut self) -> Vec<u8> {
        let Some(buffer) = self.buffers.pop() else { return Vec::with_capacity(FIRST_BYTES) };
        self.bytes -= buffer.capacity();
        buffer
    }

    /// Large buffers are kept as well: growing one anew for each batch of large packets costs
    /// more than sending them.
    fn give_back(&mut self, buffer: Vec<u8>) {
        // A connection that had nothing to send gives nothing back.
        if buffer.capacity() > 0 && self.bytes + buffer.capacity() <= POOL_BYTES_MAX {
            self.bytes += buffer.capacity();
            self.buffers.push(buffer);
        }
    }
}

const FIRST_BYTES: usize = 2_048;
/// What all empty buffers of a reactor may hold; above it they are freed.
const POOL_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A slow socket's buffer is moved down once this much was taken from its front.
const COMPACT_BYTES: usize = 256 * 1024;
