//! Whether an identity is connected and when something of it was heard last (iot-hub B1.1, C3):
//! beside the registry, since it changes with every connection. Refuses to know connections.

use crate::Moment;

/// What is known of an identity's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Activity {
    /// `connectionState`.
    pub state: ConnectionState,
    /// `connectionStateUpdatedTime`.
    pub state_updated: Moment,
    /// `lastActivityTime`: the last time it connected, sent or received.
    pub last_activity: Moment,
    /// `cloudToDeviceMessageCount`: commands that wait for it.
    pub commands: u32,
}

impl Activity {
    /// It has connected. A later connection that takes over is heard of only as activity.
    pub fn connected(&mut self, now_ms: u64) {
        self.turn(ConnectionState::Connected, now_ms);
        self.heard(now_ms);
    }

    /// Its connection has ended, which is no activity of its own.
    pub fn disconnected(&mut self, now_ms: u64) {
        self.turn(ConnectionState::Disconnected, now_ms);
    }

    /// It has sent or received something.
    pub fn heard(&mut self, now_ms: u64) {
        self.last_activity = self.last_activity.max(Moment::at(now_ms));
    }

    fn turn(&mut self, state: ConnectionState, now_ms: u64) {
        if self.state != state {
            self.state = state;
            self.state_updated = Moment::at(now_ms);
        }
    }
}

/// `connectionState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConnectionState {
    /// Nobody is there.
    #[default]
    Disconnected,
    /// It has a connection.
    Connected,
}

impl ConnectionState {
    /// The text in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "Disconnected",
            Self::Connected => "Connected",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_times_of_a_day() {
        let mut activity = Activity::default();
        let mut seen = |step: fn(&mut Activity, u64), now_ms| {
            step(&mut activity, now_ms);
            let Activity { state, state_updated, last_activity, .. } = activity;
            (state.as_str(), state_updated.unix_ms(), last_activity.unix_ms())
        };
        let heard: fn(&mut Activity, u64) = Activity::heard;
        assert_eq!(seen(Activity::disconnected, 1), ("Disconnected", None, None));
        assert_eq!(seen(Activity::connected, 2), ("Connected", Some(2), Some(2)));
        assert_eq!(seen(heard, 5), ("Connected", Some(2), Some(5)));
        assert_eq!(seen(heard, 4), ("Connected", Some(2), Some(5)));
        assert_eq!(seen(Activity::connected, 6), ("Connected", Some(2), Some(6)));
        assert_eq!(seen(Activity::disconnected, 9), ("Disconnected", Some(9), Some(6)));
    }
}
