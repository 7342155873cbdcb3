//! The direct methods that wait for one device or module (iot-hub B3): for its connection, or for
//! its answer. Refuses to know how a request is sent.

use super::answer::Answer;
use super::limits::CALLS_MAX;
use super::name::MethodName;
use super::outcome::{Failed, Outcome};
use super::request::Request;
use super::rid::Rid;
use crate::errors::{ErrorCode, Refusal};

/// Calls of one identity. `C` is who asked: it comes back with what has become of the call, once.
#[derive(Debug)]
pub struct Calls<C> {
    /// In the order in which they came.
    all: Vec<Call<C>>,
}

/// A request that goes to the device now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// What the answer will carry.
    pub rid: Rid,
    /// Which method.
    pub name: MethodName,
    /// JSON, or empty.
    pub payload: Box<[u8]>,
}

/// Whether the device can be asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Online {
    /// By this connection, which has a subscription that the method matches.
    By(u64),
    /// Not: no connection, or none with such a subscription.
    No,
}

#[derive(Debug)]
struct Call<C> {
    caller: C,
    rid: Rid,
    state: State,
}

#[derive(Debug)]
enum State {
    /// For the device to come.
    Connecting { request: Request, until_ms: u64 },
    /// For its answer.
    Sent { connection: u64, response_timeout_s: u32, until_ms: u64 },
}

impl<C> Default for Calls<C> {
    fn default() -> Self {
        Self { all: Vec::new() }
    }
}

impl<C> Calls<C> {
    /// A service asks. What goes to the device at once; `None` = the call waits for it. `rid`: one
    /// that no call has that waits.
    ///
    /// # Errors
    /// DeviceNotOnline where it is not and need not be waited for,
    /// DeviceMaximumInflightMethodExceeded; the caller comes back at once.
    pub fn invoke(
        &mut self,
        request: Request,
        caller: C,
        rid: Rid,
        online: Online,
        now_ms: u64,
    ) -> Result<Option<Sent>, (C, Failed)> {
        if self.all.len() >= CALLS_MAX {
            let text = format!("{CALLS_MAX} methods wait for the device, which is all");
            let code = ErrorCode::DeviceMaximumInflightMethodExceeded;
            return Err((caller, Refusal::new(code, text).into()));
        }
        if self.all.iter().any(|call| call.rid == rid) {
            let text = "the correlation of the call is in use";
            return Err((caller, Refusal::new(ErrorCode::ServerError, text).into()));
        }
        match (online, request.connect_timeout_s) {
            (Online::By(connection), _) => {
                let (state, sent) = send(request, connection, rid, now_ms);
                self.all.push(Call { caller, rid, state });
                Ok(Some(sent))
            }
            (Online::No, 0) => Err((caller, Failed::not_online(0))),
            (Online::No, seconds) => {
                let until_ms = end(now_ms, seconds);
                self.all.push(Call { caller, rid, state: State::Connecting { request, until_ms } });
                Ok(None)
            }
        }
    }

    /// A connection has subscribed: what goes to the device now, of the calls that wait for it and
    /// whose method `matches`.
    pub fn online(
        &mut self,
        connection: u64,
        now_ms: u64,
        matches: impl Fn(&MethodName) -> bool,
    ) -> Vec<Sent> {
        let mut all_sent = Vec::new();
        for call in &mut self.all {
            if let State::Connecting { request, until_ms } = &call.state
                && *until_ms > now_ms
                && matches(&request.name)
            {
                let (state, sent) = send(request.clone(), connection, call.rid, now_ms);
                call.state = state;
                all_sent.push(sent);
            }
        }
        all_sent
    }

    /// A device has answered: who asked, and what it is told. `None` = nobody waits for that, it
    /// is late or bogus.
    pub fn answered(&mut self, connection: u64, rid: Rid, answer: Answer) -> Option<(C, Outcome)> {
        let is_it = |call: &Call<C>| call.rid == rid && call.is_sent_by(connection);
        let place = self.all.iter().position(is_it)?;
        Some((self.all.remove(place).caller, answer.into()))
    }

    /// Whether somebody waits for this answer.
    pub fn awaits(&self, connection: u64, rid: Rid) -> bool {
        self.all.iter().any(|call| call.rid == rid && call.is_sent_by(connection))
    }

    /// A connection is gone: what was sent by it gets no answer.
    pub fn disconnected(&mut self, connection: u64) -> Vec<(C, Outcome)> {
        let gone = self.all.extract_if(.., |call| call.is_sent_by(connection));
        gone.map(|call| (call.caller, Err(Failed::unavailable()))).collect()
    }

    /// One request cannot be sent, as it is larger than the client takes (A13).
    pub fn unsent(&mut self, connection: u64, rid: Rid) -> Option<(C, Outcome)> {
        self.answered(connection, rid, Answer::Unavailable)
    }

    /// Who asked does not wait any more: his call is over, and a device that was not asked yet will
    /// not be. What it still answers is late.
    pub fn abandoned(&mut self, is_his: impl Fn(&C) -> bool) -> Option<C> {
        let place = self.all.iter().position(|call| is_his(&call.caller))?;
        Some(self.all.remove(place).caller)
    }

    /// The identity is deleted or disabled: all end with this.
    pub fn end(&mut self, failed: &Failed) -> Vec<(C, Outcome)> {
        self.all.drain(..).map(|call| (call.caller, Err(failed.clone()))).collect()
    }

    /// When [`turn`](Self::turn) is due, wall milliseconds.
    pub fn deadline(&self) -> Option<u64> {
        self.all.iter().map(Call::until_ms).min()
    }

    /// Time has passed: calls that have waited long enough end.
    pub fn turn(&mut self, now_ms: u64) -> Vec<(C, Outcome)> {
        let due = self.all.extract_if(.., |call| call.until_ms() <= now_ms);
        due.map(|call| {
            let failed = match call.state {
                State::Connecting { request, .. } => Failed::not_online(request.connect_timeout_s),
                State::Sent { response_timeout_s, .. } => Failed::no_answer(response_timeout_s),
            };
            (call.caller, Err(failed))
        })
        .collect()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl<C> Call<C> {
    fn until_ms(&self) -> u64 {
        match self.state {
            State::Connecting { until_ms, .. } | State::Sent { until_ms, .. } => until_ms,
        }
    }

    fn is_sent_by(&self, by: u64) -> bool {
        matches!(self.state, State::Sent { connection, .. } if connection == by)
    }
}

fn send(request: Request, connection: u64, rid: Rid, now_ms: u64) -> (State, Sent) {
    let Request { name, payload, response_timeout_s, .. } = request;
    let until_ms = end(now_ms, response_timeout_s);
    (State::Sent { connection, response_timeout_s, until_ms }, Sent { rid, name, payload })
}

fn end(now_ms: u64, seconds: u32) -> u64 {
    now_ms.saturating_add(u64::from(seconds) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_600_000_000_000;

    fn request(connect_timeout_s: u32) -> Request {
        let name = MethodName::parse("reboot").unwrap();
        let payload = b"1".as_slice().into();
        Request { name, payload, response_timeout_s: 30, connect_timeout_s }
    }

    fn codes(outcomes: Vec<(&'static str, Outcome)>) -> Vec<(&'static str, u32, Option<u32>)> {
        let failed = outcomes.into_iter().map(|(caller, outcome)| (caller, outcome.unwrap_err()));
        failed.map(|(c, failed)| (c, failed.refusal.code.number(), failed.timeout_s)).collect()
    }

    fn done() -> Answer {
        Answer::of_mqtt311(200, b"")
    }

    #[test]
    fn a_device_that_is_there_is_asked_and_answers_once() {
        let mut calls = Calls::default();
        let sent = calls.invoke(request(0), "a", Rid(1), Online::By(7), NOW).unwrap().unwrap();
        assert_eq!((sent.rid, sent.name.as_str(), &*sent.payload), (Rid(1), "reboot", &b"1"[..]));
        assert_eq!(calls.deadline(), Some(NOW + 30_000));
        assert!(calls.answered(8, Rid(1), done()).is_none(), "another connection");
        assert!(calls.answered(7, Rid(2), done()).is_none(), "another call");
        let (caller, outcome) = calls.answered(7, Rid(1), done()).unwrap();
        assert_eq!((caller, outcome.unwrap().status), ("a", 200));
        assert!(calls.answered(7, Rid(1), done()).is_none(), "never twice");
        assert!(calls.is_empty() && calls.deadline().is_none());
    }

    #[test]
    fn every_row_of_the_table_ends_with_its_code() {
        let mut calls = Calls::default();
        let refused = calls.invoke(request(0), "a", Rid(1), Online::No, NOW).unwrap_err();
        assert_eq!(codes(vec![(refused.0, Err(refused.1))]), [("a", 404_103, Some(0))]);
        assert_eq!(calls.invoke(request(10), "b", Rid(1), Online::No, NOW), Ok(None));
        assert!(calls.online(7, NOW + 10_000, |_| true).is_empty(), "too late");
        assert!(calls.turn(NOW + 9_999).is_empty());
        assert_eq!(codes(calls.turn(NOW + 10_000)), [("b", 404_103, Some(10))]);
        calls.invoke(request(0), "c", Rid(1), Online::By(7), NOW).unwrap();
        assert_eq!(codes(calls.turn(NOW + 30_000)), [("c", 504_101, Some(30))]);
        calls.invoke(request(0), "d", Rid(1), Online::By(7), NOW).unwrap();
        calls.invoke(request(0), "e", Rid(2), Online::By(8), NOW).unwrap();
        calls.invoke(request(5), "f", Rid(3), Online::No, NOW).unwrap();
        assert_eq!(codes(calls.disconnected(7)), [("d", 404_103, None)]);
        assert_eq!(codes(calls.unsent(8, Rid(2)).into_iter().collect()), [("e", 404_103, None)]);
        assert_eq!(codes(calls.end(&Failed::disabled())), [("f", 403_012, None)]);
        assert!(calls.is_empty());
    }

    #[test]
    fn a_device_that_comes_is_asked_what_it_subscribed_to() {
        let mut calls = Calls::default();
        let other = Request { name: MethodName::parse("other").unwrap(), ..request(10) };
        calls.invoke(request(10), "a", Rid(1), Online::No, NOW).unwrap();
        calls.invoke(other, "b", Rid(2), Online::No, NOW).unwrap();
        let sent = calls.online(7, NOW + 9_999, |name| name.as_str() == "other");
        assert_eq!(sent.iter().map(|one| one.rid).collect::<Vec<_>>(), [Rid(2)]);
        assert!(calls.online(7, NOW + 9_999, |name| name.as_str() == "other").is_empty());
        assert_eq!(codes(calls.turn(NOW + 10_000)), [("a", 404_103, Some(10))]);
        assert_eq!(calls.deadline(), Some(NOW + 39_999), "30 s from when it was sent");
    }

    #[test]
    fn who_leaves_leaves_nothing_behind() {
        let mut calls = Calls::default();
        calls.invoke(request(10), "a", Rid(1), Online::No, NOW).unwrap();
        calls.invoke(request(10), "b", Rid(2), Online::By(7), NOW).unwrap();
        assert_eq!(calls.abandoned(|caller| *caller == "a"), Some("a"));
        assert_eq!(calls.abandoned(|caller| *caller == "a"), None);
        assert!(calls.online(7, NOW, |_| true).is_empty(), "nobody waits for it");
        assert_eq!(calls.abandoned(|caller| *caller == "b"), Some("b"));
        assert!(calls.answered(7, Rid(2), done()).is_none(), "late");
        assert!(calls.is_empty() && calls.deadline().is_none());
    }

    #[test]
    fn there_is_a_bound() {
        let mut calls = Calls::default();
        for n in 0..CALLS_MAX as u64 {
            calls.invoke(request(0), "a", Rid(n), Online::By(1), NOW).unwrap();
        }
        let (_, failed) = calls.invoke(request(0), "b", Rid(999), Online::By(1), NOW).unwrap_err();
        assert_eq!(failed.refusal.code.number(), 403_800);
        assert!(calls.answered(1, Rid(5), done()).is_some());
        let (_, failed) = calls.invoke(request(0), "b", Rid(1), Online::By(1), NOW).unwrap_err();
        assert_eq!(failed.refusal.code, ErrorCode::ServerError, "one correlation, one call");
        calls.invoke(request(0), "b", Rid(5), Online::By(1), NOW).unwrap();
        assert_eq!(calls.len(), CALLS_MAX);
    }
}
