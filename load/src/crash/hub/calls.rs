//! The account of direct methods: called, heard by a device, answered. Nothing of them is durable:
//! each is heard at most once, and an answer is what its device gave to this call. Refuses to know
//! who asks, and how.

use super::section::Wrong;

/// The books of all calls.
#[derive(Debug, Default)]
pub struct Calls {
    calls: Vec<Call>,
    /// By number of an answer: the call that it was given to.
    answers: Vec<usize>,
    /// So many connections of devices have begun.
    connections: u64,
    /// Calls whose caller got the answer of a device.
    pub answered: u64,
    /// Calls whose caller was told that there is none.
    pub failed: u64,
}

#[derive(Debug)]
struct Call {
    device: usize,
    answer: Option<u64>,
    /// How many connections had begun when its caller had what became of it.
    ended: Option<u64>,
}

impl Calls {
    /// A device is about to be called; the number of the call, which is its payload.
    pub fn begin(&mut self, device: usize) -> u64 {
        self.calls.push(Call { device, answer: None, ended: None });
        self.calls.len() as u64 - 1
    }

    /// A device is about to connect; the number of its connection.
    pub fn connect(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    /// A device hears a call by a connection; the number of the answer that it is to give.
    ///
    /// # Errors
    /// When it is another's, was heard before, or had ended before the connection began.
    pub fn hear(&mut self, device: usize, call: u64, connection: u64) -> Result<u64, Wrong> {
        let answer = self.answers.len() as u64;
        let (at, known) = self.known(call)?;
        if known.device != device {
            return Err(format!("call {call} of device {} is heard by {device}", known.device));
        }
        if known.answer.is_some() {
            return Err(format!("call {call} is heard twice"));
        }
        if known.ended.is_some_and(|before| before < connection) {
            return Err(format!("call {call} had ended and is heard by a later connection"));
        }
        known.answer = Some(answer);
        self.answers.push(at);
        Ok(answer)
    }

    /// Its caller got an answer.
    ///
    /// # Errors
    /// When its device gave another, or none.
    pub fn answered(&mut self, call: u64, answer: u64) -> Result<(), Wrong> {
        self.answered += 1;
        self.ended(call)?;
        let (at, known) = self.known(call)?;
        if known.answer == Some(answer) {
            return Ok(());
        }
        let gave = known.answer;
        let whose = usize::try_from(answer).ok().and_then(|answer| self.answers.get(answer));
        Err(format!("call {at} is answered {answer}, of {whose:?}, and its device gave {gave:?}"))
    }

    /// Its caller was told that there is no answer.
    ///
    /// # Errors
    /// When there was no such call.
    pub fn failed(&mut self, call: u64) -> Result<(), Wrong> {
        self.failed += 1;
        self.ended(call)
    }

    /// Its caller waits no more.
    ///
    /// # Errors
    /// When there was no such call, or it had ended.
    pub fn ended(&mut self, call: u64) -> Result<(), Wrong> {
        let now = self.connections;
        let (_, known) = self.known(call)?;
        match known.ended.replace(now) {
            None => Ok(()),
            Some(_) => Err(format!("call {call} ends twice")),
        }
    }

    fn known(&mut self, call: u64) -> Result<(usize, &mut Call), Wrong> {
        let at = usize::try_from(call).ok().filter(|at| *at < self.calls.len());
        let at = at.ok_or_else(|| format!("call {call} was never made"))?;
        Ok((at, &mut self.calls[at]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_history_is_right() {
        let mut calls = Calls::default();
        let (a, b, c, d) = (calls.begin(0), calls.begin(1), calls.begin(0), calls.begin(0));
        let first = calls.connect();
        let answer = calls.hear(0, a, first).unwrap();
        calls.answered(a, answer).unwrap();
        // Its device is away.
        calls.failed(b).unwrap();
        // Its device was heard by nobody: the process had ended.
        let lost = calls.hear(0, c, first).unwrap();
        calls.ended(c).unwrap();
        // It was under way when its caller gave up.
        calls.ended(d).unwrap();
        assert_ne!(calls.hear(0, d, first).unwrap(), lost);
        assert_eq!((calls.answered, calls.failed), (1, 1));
    }

    #[test]
    fn wrong_histories_are_seen() {
        type History = fn(&mut Calls) -> Result<(), Wrong>;
        let rows: [(&str, History); 8] = [
            ("heard twice", |c| {
                c.hear(0, 0, 0)?;
                c.hear(0, 0, 0).map(drop)
            }),
            ("another's", |c| c.hear(1, 0, 0).map(drop)),
            ("never made", |c| c.hear(0, 2, 0).map(drop)),
            ("kept for later", |c| {
                c.ended(0)?;
                let later = c.connect();
                c.hear(0, 0, later).map(drop)
            }),
            ("not heard", |c| c.answered(0, 0)),
            ("another's answer", |c| {
                c.hear(0, 0, 0)?;
                let answer = c.hear(0, 1, 0)?;
                c.answered(0, answer)
            }),
            ("answered twice", |c| {
                let answer = c.hear(0, 0, 0)?;
                c.answered(0, answer)?;
                c.answered(0, answer)
            }),
            ("failed and answered", |c| {
                let answer = c.hear(0, 0, 0)?;
                c.failed(0)?;
                c.answered(0, answer)
            }),
        ];
        for (name, history) in rows {
            let mut calls = Calls::default();
            (0..2).for_each(|_| _ = calls.begin(0));
            assert!(history(&mut calls).is_err(), "{name}");
        }
    }
}
