//! Appends one packet to a buffer: the data types of MQTT 5, 1.5, and the two lengths that are
//! known only afterwards. It refuses to know the packets.

use crate::error::TooLarge;
use crate::limits::{REMAINING_LENGTH_MAX, STRING_BYTES_MAX};
use crate::wire::property::{Keep, Properties, Property};
use crate::wire::varint;

/// One packet under construction at the end of `out`.
pub(crate) struct Writer<'o> {
    pub(crate) out: &'o mut Vec<u8>,
    start: usize,
    too_long: bool,
}

/// What helps a person and may be left out when the peer's Maximum Packet Size is too small:
/// first the user properties, then the reason string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics<'a> {
    /// Reason String.
    pub reason_string: Option<&'a str>,
    /// User properties, name and value.
    pub user: &'a [(&'a str, &'a str)],
}

impl Diagnostics<'_> {
    /// Nothing to say.
    pub const NONE: Self = Self { reason_string: None, user: &[] };

    pub(crate) fn is_empty_kept(&self, keep: Keep) -> bool {
        match keep {
            Keep::All => self.reason_string.is_none() && self.user.is_empty(),
            Keep::NoUser => self.reason_string.is_none(),
            Keep::NoDiagnostics => true,
        }
    }
}

/// Where a length waits to be filled in.
#[derive(Clone, Copy)]
#[must_use]
pub(crate) struct Open(usize);

impl<'o> Writer<'o> {
    /// Writes the first byte and leaves room for the Remaining Length.
    pub(crate) fn begin(out: &'o mut Vec<u8>, first: u8) -> Self {
        let start = out.len();
        out.extend_from_slice(&[first, 0]);
        Self { out, start, too_long: false }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Length and bytes; more than 65,535 bytes make `finish` fail.
    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        if bytes.len() > STRING_BYTES_MAX {
            self.too_long = true;
            return;
        }
        self.u16(bytes.len() as u16);
        self.bytes(bytes);
    }

    pub(crate) fn string(&mut self, text: &str) {
        self.binary(text.as_bytes());
    }

    /// Leaves room for the length of what follows.
    pub(crate) fn open(&mut self) -> Open {
        self.out.push(0);
        Open(self.out.len() - 1)
    }

    /// Fills the length in.
    pub(crate) fn close(&mut self, open: Open) {
        let len = self.out.len() - open.0 - 1;
        self.fill(open.0, len);
    }

    /// One property; a string over 65,535 bytes makes `finish` fail.
    pub(crate) fn property(&mut self, property: Property<'_>) {
        self.too_long |= property.encode(self.out).is_err();
    }

    pub(crate) fn property_opt(&mut self, property: Option<Property<'_>>) {
        if let Some(property) = property {
            self.property(property);
        }
    }

    /// Reason string and user properties as far as `keep` lets them.
    pub(crate) fn diagnostics(&mut self, diagnostics: Diagnostics<'_>, keep: Keep) {
        if keep != Keep::NoDiagnostics {
            self.property_opt(diagnostics.reason_string.map(Property::ReasonString));
        }
        if keep == Keep::All {
            for (name, value) in diagnostics.user {
                self.property(Property::User(name, value));
            }
        }
    }

    /// A property block with its length.
    pub(crate) fn properties(&mut self, properties: Properties<'_>, keep: Keep) {
        let open = self.open();
        properties.write_kept(keep, self.out);
        self.close(open);
    }

    /// Fills in the Remaining Length. On failure the buffer is as it was before `begin`.
    pub(crate) fn finish(self) -> Result<(), TooLarge> {
        let start = self.start;
        let remaining = self.out.len() - start - 2;
        if self.too_long || remaining > REMAINING_LENGTH_MAX {
            self.out.truncate(start);
            return Err(TooLarge);
        }
        let mut this = self;
        this.fill(start + 1, remaining);
        Ok(())
    }

    /// One byte was left at `at`; a longer form moves what follows.
    fn fill(&mut self, at: usize, len: usize) {
        let len = len.min(u32::MAX as usize) as u32;
        let encoded = varint::bytes(len);
        self.out.splice(at..=at, encoded[..varint::size(len)].iter().copied());
    }
}

/// Writes a packet that may shed its diagnostics: all of them if they fit, else without user
/// properties, else without reason string too (MQTT 5, 3.2.2-19, 3.2.2-20 and their like).
pub(crate) fn fit(
    out: &mut Vec<u8>,
    packet_max: usize,
    write: impl Fn(&mut Vec<u8>, Keep) -> Result<(), TooLarge>,
) -> Result<(), TooLarge> {
    let start = out.len();
    for keep in [Keep::All, Keep::NoUser, Keep::NoDiagnostics] {
        if write(out, keep).is_ok() {
            if out.len() - start <= packet_max {
                return Ok(());
            }
            out.truncate(start);
        }
    }
    Err(TooLarge)
}
