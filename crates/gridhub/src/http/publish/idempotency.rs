//! `Idempotency-Key`: the same key of the same principal is published once in two minutes of the
//! domain clock; repeats answer as the first did (product 4). Refuses to know what is published.
//! Where there is a log, each accepted publish is there under its key, and a start takes in those
//! that have not ended.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use node::door::RequestKey;
use node::journal::FoundRequest;
use tokio::sync::watch;

use super::outcome::Outcome;

/// The keys of one namespace.
#[derive(Debug)]
pub struct Keys {
    keys_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<Arc<Key>, Entry>,
    /// Answered keys, in the order they end.
    ends: VecDeque<(u64, Arc<Key>)>,
}

/// One key of one principal. Items of a batch share the key and differ in `item`.
#[derive(Debug, PartialEq, Eq, Hash, Clone)]
pub struct Key {
    pub principal: Arc<str>,
    pub key: Arc<str>,
    pub item: Option<u32>,
}

impl Key {
    /// As it goes with a publish of its principal.
    pub fn at_the_door(&self) -> RequestKey {
        RequestKey { key: Arc::clone(&self.key), item: self.item, kept_ms: KEPT_MS }
    }
}

#[derive(Debug)]
enum Entry {
    Running(watch::Receiver<Option<Outcome>>),
    Answered(Outcome),
}

/// What a request with a key has to do.
pub enum Claim {
    /// It is the first: run, then tell the answer.
    First(Running),
    /// It was answered before.
    Repeat(Outcome),
    /// The first still runs: wait for its answer.
    Wait(watch::Receiver<Option<Outcome>>),
    /// No room for another key: the seconds until there is.
    Full { retry_after_s: u64 },
}

impl Keys {
    /// Remembers at most `keys_max` keys, running ones included; at it, new keys are refused.
    pub fn new(keys_max: usize) -> Self {
        Keys { keys_max, inner: Mutex::default() }
    }

    /// Takes in the keys of an earlier run, before any is claimed: each was accepted. What it was
    /// answered besides (`?wait=delivered`) is not known any more. All are remembered, even if
    /// `keys_max` is less than it was; then new ones are refused for longer.
    pub fn restore(&self, found: Vec<FoundRequest>, now_ms: u64) {
        let mut inner = self.lock();
        let mut found: Vec<_> = found.into_iter().filter(|f| f.ends_at_ms > now_ms).collect();
        found.sort_unstable_by_key(|f| f.ends_at_ms);
        for FoundRequest { principal, key, item, ends_at_ms, .. } in found {
            let key = Arc::new(Key { principal: principal.into(), key: key.into(), item });
            inner.entries.insert(Arc::clone(&key), Entry::Answered(Outcome::Accepted));
            // The domain clock may have been moved since it last told the log, and be back.
            let end_ms = ends_at_ms.min(now_ms.saturating_add(KEPT_MS));
            inner.ends.push_back((end_ms, key));
        }
    }

    /// Claims a key at domain time `now_ms`.
    pub fn claim(self: &Arc<Self>, key: Key, now_ms: u64) -> Claim {
        let mut inner = self.lock();
        inner.expire(now_ms);
        match inner.entries.get(&key) {
            Some(Entry::Answered(outcome)) => return Claim::Repeat(outcome.clone()),
            Some(Entry::Running(answer)) => return Claim::Wait(answer.clone()),
            None => {}
        }
        if inner.entries.len() >= self.keys_max {
            let end = inner.ends.front().map_or(now_ms, |(end_ms, _)| *end_ms);
            return Claim::Full { retry_after_s: end.saturating_sub(now_ms).div_ceil(1000).max(1) };
        }
        let key = Arc::new(key);
        let (tell, answer) = watch::channel(None);
        inner.entries.insert(Arc::clone(&key), Entry::Running(answer));
        Claim::First(Running { keys: Arc::clone(self), key, tell })
    }

    /// Runs `publish` under `key`, or answers as the first did. A concurrent repeat waits.
    ///
    /// # Errors
    /// The seconds until there is room for another key.
    pub async fn once(
        self: &Arc<Self>,
        key: Key,
        now_ms: impl Fn() -> u64,
        publish: impl Future<Output = Outcome>,
    ) -> Result<Outcome, u64> {
        loop {
            match self.claim(key.clone(), now_ms()) {
                Claim::First(running) => {
                    let outcome = publish.await;
                    running.answer(outcome.clone(), now_ms());
                    return Ok(outcome);
                }
                Claim::Repeat(outcome) => return Ok(outcome),
                Claim::Wait(mut answer) => {
                    // The sender is gone without an answer when the first was cut off: claim again.
                    if let Ok(outcome) = answer.wait_for(Option::is_some).await {
                        return Ok(outcome.clone().expect("waited for Some"));
                    }
                }
                Claim::Full { retry_after_s } => return Err(retry_after_s),
            }
        }
    }

    /// Keys remembered now, running ones included.
    pub fn count(&self) -> usize {
        self.lock().entries.len()
    }

    /// A poisoned lock is used on: nothing under it panics half-way through a change.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn expire(&mut self, now_ms: u64) {
        while self.ends.front().is_some_and(|(end_ms, _)| *end_ms <= now_ms) {
            let (_, key) = self.ends.pop_front().expect("looked at it");
            self.entries.remove(&key);
        }
    }
}

/// The right and duty to answer for a key. Dropped without an answer, the key is free again.
pub struct Running {
    keys: Arc<Keys>,
    key: Arc<Key>,
    tell: watch::Sender<Option<Outcome>>,
}

impl Running {
    /// Tells those who wait, and remembers the answer unless it was a refusal: a refused request
    /// does not use the key up.
    pub fn answer(self, outcome: Outcome, now_ms: u64) {
        if outcome.is_accepted() {
            let mut inner = self.keys.lock();
            inner.entries.insert(Arc::clone(&self.key), Entry::Answered(outcome.clone()));
            inner.ends.push_back((now_ms.saturating_add(KEPT_MS), Arc::clone(&self.key)));
        }
        self.tell.send_replace(Some(outcome));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut inner = self.keys.lock();
        if matches!(inner.entries.get(&self.key), Some(Entry::Running(_))) {
            inner.entries.remove(&self.key);
        }
    }
}

/// Two minutes (product 4).
const KEPT_MS: u64 = 120_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error::HttpError;

    fn key(principal: &str, key: &str) -> Key {
        Key { principal: principal.into(), key: key.into(), item: None }
    }

    fn refused() -> Outcome {
        Outcome::Refused(HttpError::forbidden("NotAuthorized", "no"))
    }

    #[test]
    fn one_run_for_each_principal_and_two_minutes() {
        let keys = Arc::new(Keys::new(10));
        let Claim::First(running) = keys.claim(key("a", "1"), 0) else { panic!("first") };
        assert!(matches!(keys.claim(key("a", "1"), 0), Claim::Wait(_)));
        assert!(matches!(keys.claim(key("b", "1"), 0), Claim::First(_)));
        running.answer(Outcome::Accepted, 1000);
        assert!(matches!(keys.claim(key("a", "1"), 120_999), Claim::Repeat(Outcome::Accepted)));
        assert!(matches!(keys.claim(key("a", "1"), 121_000), Claim::First(_)));
        assert_eq!(keys.count(), 0);
    }

    #[test]
    fn refusals_and_interruptions_free_the_key() {
        let keys = Arc::new(Keys::new(10));
        let Claim::First(running) = keys.claim(key("a", "1"), 0) else { panic!("first") };
        running.answer(refused(), 0);
        let Claim::First(running) = keys.claim(key("a", "1"), 0) else { panic!("freed") };
        drop(running);
        assert!(matches!(keys.claim(key("a", "1"), 0), Claim::First(_)));
    }

    #[test]
    fn at_the_bound_new_keys_wait() {
        let keys = Arc::new(Keys::new(2));
        for (i, now_ms) in [(1, 0), (2, 500)] {
            let Claim::First(running) = keys.claim(key("a", &i.to_string()), now_ms) else {
                panic!("room")
            };
            running.answer(Outcome::Accepted, now_ms);
        }
        let Claim::Full { retry_after_s } = keys.claim(key("a", "3"), 1000) else { panic!("full") };
        assert_eq!(retry_after_s, 119);
        assert!(matches!(keys.claim(key("a", "1"), 1000), Claim::Repeat(_)));
        assert!(matches!(keys.claim(key("a", "3"), 120_000), Claim::First(_)));
    }

    #[tokio::test]
    async fn a_concurrent_repeat_hears_the_first_even_refused() {
        let keys = Arc::new(Keys::new(10));
        let (go, gone) = tokio::sync::oneshot::channel();
        let first = tokio::spawn({
            let keys = Arc::clone(&keys);
            async move {
                let run = async {
                    gone.await.expect("told to go");
                    refused()
                };
                keys.once(key("a", "1"), || 0, run).await
            }
        });
        tokio::task::yield_now().await;
        let second = tokio::spawn({
            let keys = Arc::clone(&keys);
            async move { keys.once(key("a", "1"), || 0, async { panic!("runs twice") }).await }
        });
        tokio::task::yield_now().await;
        go.send(()).unwrap();
        assert!(matches!(first.await.unwrap(), Ok(Outcome::Refused(_))));
        assert!(matches!(second.await.unwrap(), Ok(Outcome::Refused(_))));
        assert_eq!(keys.count(), 0);
    }
}
