//! What a client may find of its session when it comes back, whatever happened to the process.

/// A client's tie to the server beyond a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// It ends with each connection.
    Passing,
    /// It outlives connections; no CONNACK has come yet.
    Begun,
    /// It outlives connections, and a CONNACK promised that.
    Promised,
}

impl Session {
    /// CONNACK has come.
    ///
    /// # Errors
    /// With what is wrong with Session Present.
    pub fn up(&mut self, present: bool) -> Result<(), &'static str> {
        let was = *self;
        if was == Self::Begun {
            *self = Self::Promised;
        }
        match (was, present) {
            (Self::Promised, false) => Err("the session is gone"),
            (Self::Passing, true) => Err("a session that ended with its connection is there"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_kept_and_nothing_is_kept_without_one() {
        let mut session = Session::Begun;
        // Nobody heard the first CONNACK: the session may be there or not.
        assert!(session.up(false).is_ok() && session.up(true).is_ok());
        assert!(session.up(false).is_err());
        assert!(Session::Begun.up(true).is_ok());
        assert!(Session::Passing.up(false).is_ok() && Session::Passing.up(true).is_err());
    }
}
