//! Where a query goes on: an opaque text (iot-hub C4). It grants nothing: every page is asked for
//! with the query itself and a right of its own.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use hub::identity::IdentityId;

/// Where a query goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Continuation {
    /// Behind this identity; `left` rows of its `TOP`, where it has one.
    Behind { id: IdentityId, left: Option<u32> },
    /// At this row of what is counted together, from 0.
    Row(u32),
    /// Behind a job, or behind a device of one.
    Job { job: u64, device: u32 },
    /// Likewise; `left` rows of a `TOP`.
    JobOfTop { job: u64, device: u32, left: u32 },
}

impl Continuation {
    /// URL-safe text, for this query only.
    pub fn token(&self, query: &str) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&mark(query));
        match self {
            Self::Behind { id, left } => {
                bytes.push(if left.is_some() { BEHIND_OF_TOP } else { BEHIND });
                bytes.extend_from_slice(&left.unwrap_or(0).to_be_bytes());
                bytes.extend_from_slice(id.to_string().as_bytes());
            }
            Self::Row(at) => {
                bytes.push(ROW);
                bytes.extend_from_slice(&at.to_be_bytes());
            }
            Self::Job { job, device } => {
                bytes.push(JOB);
                bytes.extend_from_slice(&device.to_be_bytes());
                bytes.extend_from_slice(&job.to_be_bytes());
            }
            Self::JobOfTop { job, device, left } => {
                bytes.push(JOB_OF_TOP);
                bytes.extend_from_slice(&device.to_be_bytes());
                bytes.extend_from_slice(&job.to_be_bytes());
                bytes.extend_from_slice(&left.to_be_bytes());
            }
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None` for a text that no [`Continuation::token`] made of this query.
    pub fn parse(token: &str, query: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let rest = bytes.strip_prefix(&[VERSION])?.strip_prefix(&mark(query))?;
        let (kind, rest) = rest.split_first()?;
        let (number, rest) = rest.split_first_chunk::<4>()?;
        let number = u32::from_be_bytes(*number);
        let job = || Some(u64::from_be_bytes(*rest.first_chunk::<8>()?));
        let left = || Some(u32::from_be_bytes(rest.get(8..)?.try_into().ok()?));
        let id = || IdentityId::parse(std::str::from_utf8(rest).ok()?).ok();
        match *kind {
            BEHIND => Some(Self::Behind { id: id()?, left: None }),
            BEHIND_OF_TOP => Some(Self::Behind { id: id()?, left: Some(number) }),
            ROW if rest.is_empty() => Some(Self::Row(number)),
            JOB if rest.len() == 8 => Some(Self::Job { job: job()?, device: number }),
            JOB_OF_TOP => Some(Self::JobOfTop { job: job()?, device: number, left: left()? }),
            _ => None,
        }
    }
}

/// Tells queries apart.
fn mark(query: &str) -> [u8; 8] {
    let hash = digest(&SHA256, query.as_bytes());
    std::array::from_fn(|at| hash.as_ref()[at])
}

const VERSION: u8 = 1;
const BEHIND: u8 = 0;
const BEHIND_OF_TOP: u8 = 1;
const ROW: u8 = 2;
const JOB: u8 = 3;
const JOB_OF_TOP: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_damage_and_another_query() {
        let id = IdentityId::parse("d1/m").unwrap();
        for at in [
            Continuation::Behind { id: id.clone(), left: None },
            Continuation::Behind { id, left: Some(0) },
            Continuation::Row(7),
            Continuation::Job { job: 1 << 40, device: 7 },
            Continuation::JobOfTop { job: 1 << 40, device: 7, left: 3 },
        ] {
            let token = at.token("q");
            assert_eq!(Continuation::parse(&token, "q"), Some(at.clone()));
            assert_eq!(Continuation::parse(&token, "p"), None);
            // What is cut is refused, or an id that is shorter.
            for end in 0..token.len() {
                assert_ne!(Continuation::parse(&token[..end], "q"), Some(at.clone()), "{end}");
            }
        }
        assert_eq!(Continuation::parse("", "q"), None);
        assert_eq!(Continuation::parse("no token", "q"), None);
    }
}
