//! What a session subscribed to, and what it does not want any more.

use super::reader::{Fault, Reader};
use super::session_id::SessionId;
use super::subscription::Subscription;
use super::writer::Writer;
use store::log::Kind;

/// SUBACK goes out once this is a fact (core.md 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed<'a> {
    /// Who.
    pub session: SessionId,
    /// Each takes the place of the one of the same filter, if there is one.
    pub subscriptions: Vec<Subscription<'a>>,
}

/// UNSUBACK goes out once this is a fact (core.md 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribed<'a> {
    /// Who.
    pub session: SessionId,
    /// Filters that it had, each as it was subscribed to.
    pub filters: Vec<&'a str>,
}

impl<'a> Subscribed<'a> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        w.session(self.session);
        Subscription::write_all(&self.subscriptions, &mut w);
    }

    pub(super) fn decode(r: &mut Reader<'a>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        Ok(Self { session: r.session()?, subscriptions: Subscription::read_all(r)? })
    }

    pub(super) const KIND: Kind = Kind(10);
}

impl<'a> Unsubscribed<'a> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        w.session(self.session);
        w.filters(&self.filters);
    }

    pub(super) fn decode(r: &mut Reader<'a>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        Ok(Self { session: r.session()?, filters: r.filters()? })
    }

    pub(super) const KIND: Kind = Kind(11);
}

const VERSION: u8 = 1;
