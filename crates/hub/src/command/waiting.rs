//! A command that has not ended, to be looked at. Refuses to know who holds it.

use super::content::Content;

/// A command that has not ended.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// What it says.
    pub content: Content,
    /// How often it was abandoned.
    pub deliveries: u32,
    /// Whether somebody works on it.
    pub place: Place,
}

/// Where a command stands (iot-hub B2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It waits for the device.
    Enqueued,
    /// The device has it, or has said what becomes of it and that is not written yet.
    Invisible,
}
