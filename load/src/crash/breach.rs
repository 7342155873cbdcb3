//! A rule that was broken: which, in which round, by which message. Collected up to a bound, all
//! counted. Refuses to know how it was found.

use crate::report::Report;
use mqtt::qos::QoS;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

/// What must hold across a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// What was acknowledged reaches everybody whose subscription was granted before.
    Lost,
    /// The same for a shared group: somebody of it.
    GroupLost,
    /// QoS 2 on both sides, or one idempotency key: once.
    Twice,
    /// First occurrences of a publisher and topic come in order.
    Order,
    /// A retained message is the last acknowledged one, or one written later.
    Retained,
    /// A session is there exactly when it should be.
    Session,
    /// A section of a twin: each version is one write's, in the order of time, and stays.
    Twin,
    /// A command that was taken is delivered until it is settled, and no more then.
    Commands,
    /// Who sent a command is told how it has ended, and of no other.
    Feedback,
    /// A call is heard once, and answered as its device did.
    Methods,
    /// A job that was taken goes to its end, and does each thing once.
    Jobs,
    /// Telemetry that was acknowledged is in the channel, in its device's order, and stays there.
    Telemetry,
    /// Each write into a twin and each life of an identity has one event, in their order.
    Events,
    /// What was answered of identities stands.
    Registry,
    /// What the server sends and answers is what it was asked for.
    Protocol,
    /// It starts on what it left, stays up, stops when asked, and shares its directory with nobody.
    Process,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 16] = [
        Self::Lost,
        Self::GroupLost,
        Self::Twice,
        Self::Order,
        Self::Retained,
        Self::Session,
        Self::Twin,
        Self::Commands,
        Self::Feedback,
        Self::Methods,
        Self::Jobs,
        Self::Telemetry,
        Self::Events,
        Self::Registry,
        Self::Protocol,
        Self::Process,
    ];

    /// As a claim.
    pub fn claim(self) -> &'static str {
        match self {
            Self::Lost => "nothing acknowledged is lost",
            Self::GroupLost => "nothing acknowledged is lost to a shared group",
            Self::Twice => "QoS 2 and idempotency keys: exactly once",
            Self::Order => "order of each publisher and topic is kept",
            Self::Retained => "retained messages are the last acknowledged or later",
            Self::Session => "sessions outlive the process",
            Self::Twin => "twins are linearizable and nothing answered is lost",
            Self::Commands => "commands are never lost and never settled twice",
            Self::Feedback => "every end of a command is told, and no other",
            Self::Methods => "methods are heard once and answered by their device",
            Self::Jobs => "jobs go to their end and do nothing twice",
            Self::Telemetry => "acknowledged telemetry is in the channel, in order",
            Self::Events => "every write and every life has its event, and no other",
            Self::Registry => "registry changes that were answered stand",
            Self::Protocol => "nothing unasked for is sent or refused",
            Self::Process => "the process starts, stays, stops and is alone",
        }
    }
}

/// One message, as a person looks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Which {
    /// Whose.
    pub publisher: String,
    /// On which topic.
    pub topic: String,
    /// Its number there, from 0.
    pub sequence: u64,
    /// As published.
    pub qos: QoS,
}

/// A rule broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which rule.
    pub rule: Rule,
    /// When it was seen.
    pub round: u64,
    /// Who saw it.
    pub who: String,
    /// The message, if it is about one.
    pub message: Option<Which>,
    /// More.
    pub detail: String,
}

impl Display for Breach {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "round {}, {}: {}", self.round, self.who, self.rule.claim())?;
        if let Some(m) = &self.message {
            let (publisher, topic, qos) = (&m.publisher, &m.topic, m.qos.bits());
            write!(f, "; message {} of {publisher} on {topic}, QoS {qos}", m.sequence)?;
        }
        if self.detail.is_empty() { Ok(()) } else { write!(f, "; {}", self.detail) }
    }
}

/// All of a run.
#[derive(Debug, Default)]
pub struct Breaches {
    kept: Vec<Breach>,
    counts: BTreeMap<Rule, u64>,
}

impl Breaches {
    /// One more; the first of each rule are kept and said on stderr.
    pub fn add(&mut self, breach: Breach) {
        let count = self.counts.entry(breach.rule).or_default();
        *count += 1;
        if *count <= KEPT_PER_RULE_MAX {
            eprintln!("crash: {breach}");
            self.kept.push(breach);
        }
    }

    /// Of all rules.
    pub fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Of one rule.
    pub fn of(&self, rule: Rule) -> u64 {
        self.counts.get(&rule).copied().unwrap_or(0)
    }

    /// A check for every rule.
    pub fn enter(&self, report: &mut Report) {
        for rule in Rule::ALL {
            let count = self.of(rule);
            let first = self.kept.iter().find(|breach| breach.rule == rule);
            let first = first.map(|breach| format!(", first {breach}")).unwrap_or_default();
            report.check(rule.claim(), count == 0, format!("{count} breaches{first}"));
        }
    }
}

const KEPT_PER_RULE_MAX: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breach_names_what_to_look_for_and_breaks_its_check_only() {
        let (publisher, topic) = ("p".into(), "a/b".into());
        let message = Some(Which { publisher, topic, sequence: 7, qos: QoS::ExactlyOnce });
        let (rule, who, detail) = (Rule::Lost, "away".into(), String::new());
        let breach = Breach { rule, round: 3, who, message, detail };
        let text = "round 3, away: nothing acknowledged is lost; message 7 of p on a/b, QoS 2";
        assert_eq!(breach.to_string(), text);
        let (mut report, mut breaches) = (Report::new("crash"), Breaches::default());
        (0..100).for_each(|_| breaches.add(breach.clone()));
        breaches.enter(&mut report);
        assert_eq!((breaches.count(), breaches.kept.len()), (100, 5));
        assert!(!report.holds() && report.line().contains("100 breaches, first round 3"));
        assert_eq!(report.line().matches("breaches").count(), 1);
    }
}
