//! What a topic retains: the last message that was acknowledged, or a later one.

use super::{Fate, Promises, shown};

impl Promises {
    /// What the server retains of a topic, judged; `None` = nothing.
    ///
    /// # Errors
    /// What it should retain.
    pub fn check_retained(&self, topic: &str, has: Option<&[u8]>) -> Result<(), String> {
        let Some(history) = self.retained.get(topic) else { return Ok(()) };
        // What an acknowledged message has certainly replaced.
        let newest = history.iter().rev().find_map(|n| match self.messages[n].fate {
            Fate::Taken(_) => Some(self.messages[n].sent_at),
            Fate::Open | Fate::Refused(_) => None,
        });
        let Some(newest_at) = newest else { return Ok(()) };
        let may_stand = |n: &&u64| match self.messages[*n].fate {
            Fate::Taken(at) | Fate::Refused(at) => at >= newest_at,
            Fate::Open => true,
        };
        let mut candidates = history.iter().filter(may_stand).map(|n| &self.messages[n]);
        let fits = match has {
            Some(payload) => candidates.any(|m| m.content.1 == payload),
            None => candidates.any(|m| m.content.1.is_empty() || m.expires),
        };
        if fits {
            return Ok(());
        }
        let has = has.map(|payload| shown(&(topic.to_owned(), payload.to_vec())));
        let last = history.iter().rev().find(|n| self.messages[*n].sent_at == newest_at);
        let due = last.map(|n| shown(&self.messages[n].content));
        Err(format!("{topic} retains {has:?}, acknowledged was {due:?}"))
    }
}
