//! Where the holders of one stream stand. Most streams have one, which costs no allocation.

use crate::op::Sequence;
use std::collections::BTreeMap;

/// How many holders have come how far: each reads behind its sequence.
#[derive(Debug, Default)]
pub(super) enum Holders {
    #[default]
    None,
    One(u64),
    Many(BTreeMap<u64, u32>),
}

impl Holders {
    pub fn add(&mut self, after: Sequence) {
        match self {
            Self::None => *self = Self::One(after.0),
            Self::One(first) => {
                let mut many = BTreeMap::from([(*first, 1)]);
                *many.entry(after.0).or_insert(0) += 1;
                *self = Self::Many(many);
            }
            Self::Many(many) => *many.entry(after.0).or_insert(0) += 1,
        }
    }

    /// One that stands there leaves; whether there was one.
    pub fn remove(&mut self, after: Sequence) -> bool {
        match self {
            Self::One(only) if *only == after.0 => {
                *self = Self::None;
                true
            }
            Self::None | Self::One(_) => false,
            Self::Many(many) => {
                let Some(count) = many.get_mut(&after.0) else { return false };
                *count -= 1;
                if *count == 0 {
                    many.remove(&after.0);
                }
                if many.is_empty() {
                    *self = Self::None;
                }
                true
            }
        }
    }

    /// Where the slowest stands.
    pub fn slowest(&self) -> Option<Sequence> {
        match self {
            Self::None => None,
            Self::One(only) => Some(Sequence(*only)),
            Self::Many(many) => many.keys().next().copied().map(Sequence),
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }
}
