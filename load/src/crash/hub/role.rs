//! What somebody of the run does. Refuses to know who, and on which thread.

use super::books::Stop;
use crate::engine::Target;

/// One of the cast. An error is why it stops for this round: a rule is broken, or a connection,
/// which is right when the process ends.
pub trait Role {
    /// Does what it does until the process ends.
    fn round(&mut self, target: &Target, round: u64) -> Result<(), Stop>;

    /// The peaceful end: gets all that is its own, which is an error when it does not come.
    fn settle(&mut self, target: &Target) -> Result<(), Stop>;
}
