//! Faults on purpose: any outcome of A13 on demand, for people who test what their own code does
//! when it comes.
//!
//! Owns which operation can have which outcome ([`Operation`]), what a fault says ([`Rule`]), and
//! the list of them that all homes share ([`Faults`]). Refuses to know how an outcome is told and
//! where chance comes from.

mod list;
mod operation;
mod pattern;
mod rule;

pub use list::{FAULTS_MAX, FaultId, Faults, ListFull, Shown};
pub use operation::Operation;
pub use pattern::{BadPattern, Pattern};
pub use rule::{BadRule, DELAY_MS_MAX, Effect, Odds, Rule};
