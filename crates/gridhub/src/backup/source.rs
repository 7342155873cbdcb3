//! A log as a stream of the bytes of a backup, piece by piece. Blocks for the disk and for nothing
//! else; holds one chunk at a time.

use super::frame::{DATA_BYTES_MAX, Encoder, Frame};
use crate::disk::FileHandle;
use std::collections::VecDeque;
use std::io;
use store::disk::File;
use store::log::Piece;

/// A backup that is being read. What it holds open keeps its space on the disk.
pub struct Source {
    encoder: Encoder,
    next: Next,
    pieces: VecDeque<Piece<FileHandle>>,
    /// How far the first piece is read.
    at: u64,
    made_ms: u64,
}

/// What comes next.
enum Next {
    Head,
    File,
    Data,
    Nothing,
}

impl Source {
    /// Of the log that these pieces are, at `made_ms` in wall milliseconds.
    pub fn new(pieces: Vec<Piece<FileHandle>>, made_ms: u64) -> Self {
        let (encoder, pieces) = (Encoder::default(), pieces.into());
        Self { encoder, next: Next::Head, pieces, at: 0, made_ms }
    }

    /// The next bytes, at most a little over [`DATA_BYTES_MAX`]; `None` behind the last.
    ///
    /// # Errors
    /// A file that cannot be read, or has become shorter.
    pub fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut out = Vec::new();
        match self.next {
            Next::Nothing => return Ok(None),
            Next::Head => {
                self.encoder.head(self.made_ms, &mut out);
                self.next = Next::File;
            }
            Next::File => self.file(&mut out),
            Next::Data => self.data(&mut out)?,
        }
        Ok(Some(out))
    }

    fn file(&mut self, out: &mut Vec<u8>) {
        self.next = match self.pieces.front() {
            Some(piece) => {
                self.encoder.frame(&Frame::File(&piece.name, piece.bytes), out);
                Next::Data
            }
            None => {
                self.encoder.frame(&Frame::End, out);
                Next::Nothing
            }
        };
        self.at = 0;
    }

    fn data(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let Some(piece) = self.pieces.front() else { return Ok(()) };
        let left = piece.bytes.saturating_sub(self.at);
        let mut data = vec![0; left.min(DATA_BYTES_MAX as u64) as usize];
        if piece.file.read_at(self.at, &mut data)? < data.len() {
            let why = format!("{} is shorter than what was written to it", piece.name);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        self.encoder.frame(&Frame::Data(&data), out);
        self.at += data.len() as u64;
        if self.at >= piece.bytes {
            self.pieces.pop_front();
            self.next = Next::File;
        }
        Ok(())
    }
}
