//! What a principal may do, compiled and shared.
//!
//! Owns the filters and their interning: principals with the same rights share one set, and its
//! id is the key under which routers cache decisions. Refuses to know groups and templates.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::coverage;

/// What a principal may do. Immutable: other rights are another set with another id.
#[derive(PartialEq, Eq, Debug)]
pub struct PermissionSet {
    id: PermissionSetId,
    rights: Rights,
}

/// Names one content of a [`PermissionSet`] within a process. Never given out again for another
/// content: a cached decision under an old id can go stale, but never answer for other rights.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct PermissionSetId(u64);

/// Whether a principal may use management and service APIs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Manage {
    /// It may.
    Yes,
    /// It may not.
    No,
}

/// All permission sets in use. Shared; locked only at CONNECT and at policy changes.
#[derive(Default)]
pub struct PermissionSets {
    known: Mutex<Known>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Rights {
    publish: Vec<Box<str>>,
    subscribe: Vec<Box<str>>,
    manage: Manage,
}

#[derive(Default)]
struct Known {
    sets: HashMap<Rights, Weak<PermissionSet>>,
    last_id: u64,
    /// At this size sets that nobody uses any more are dropped.
    sweep_at: usize,
}

impl PermissionSet {
    /// The set's name in caches.
    #[inline]
    pub fn id(&self) -> PermissionSetId {
        self.id
    }

    /// Filters of topics that may be published to, sorted, without those another one covers.
    pub fn publish_filters(&self) -> &[Box<str>] {
        &self.rights.publish
    }

    /// Filters that may be subscribed to, likewise.
    pub fn subscribe_filters(&self) -> &[Box<str>] {
        &self.rights.subscribe
    }

    /// Whether management and service APIs may be used.
    pub fn manage(&self) -> Manage {
        self.rights.manage
    }

    /// Whether every right of `other` is one of this set too: if not, a connection that held
    /// `other` may have lost something.
    pub fn includes(&self, other: &Self) -> bool {
        let within = |ours: &[Box<str>], theirs: &[Box<str>]| {
            theirs.iter().all(|t| ours.iter().any(|o| coverage::allows_filter(o, t)))
        };
        within(&self.rights.publish, &other.rights.publish)
            && within(&self.rights.subscribe, &other.rights.subscribe)
            && (self.rights.manage == Manage::Yes || other.rights.manage == Manage::No)
    }
}

impl PermissionSets {
    /// The set with these rights: the one in use, or a new one. The filters must be valid.
    pub fn intern(
        &self,
        publish: Vec<String>,
        subscribe: Vec<String>,
        manage: Manage,
    ) -> Arc<PermissionSet> {
        let rights = Rights { publish: minimal(publish), subscribe: minimal(subscribe), manage };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = known.sets.get(&rights).and_then(Weak::upgrade) {
            return set;
        }
        if known.sets.len() >= known.sweep_at {
            known.sets.retain(|_, set| set.strong_count() > 0);
            known.sweep_at = (known.sets.len() * 2).max(SWEEP_MIN);
        }
        known.last_id += 1;
        let id = PermissionSetId(known.last_id);
        let set = Arc::new(PermissionSet { id, rights: rights.clone() });
        known.sets.insert(rights, Arc::downgrade(&set));
        set
    }
}

/// Sorted, without filters that another one covers: equal rights become equal contents.
fn minimal(mut filters: Vec<String>) -> Vec<Box<str>> {
    filters.sort_unstable();
    filters.dedup();
    if filters.len() > COVERAGE_MAX {
        return filters.into_iter().map(String::into_boxed_str).collect();
    }
    let covered: Vec<bool> = (0..filters.len())
        .map(|n| {
            (0..filters.len()).any(|m| {
                // Two filters may cover each other (`#`, `+/#`): the earlier one stays.
                m != n
                    && coverage::allows_filter(&filters[m], &filters[n])
                    && (m < n || !coverage::allows_filter(&filters[n], &filters[m]))
            })
        })
        .collect();
    let kept = filters.into_iter().zip(covered).filter(|(_, covered)| !covered);
    kept.map(|(filter, _)| filter.into_boxed_str()).collect()
}

/// Above it comparing all pairs at CONNECT would cost more than it saves.
const COVERAGE_MAX: usize = 256;

/// Fewer dead sets than this are not worth a sweep.
const SWEEP_MIN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn equal_rights_are_one_set() {
        let sets = PermissionSets::default();
        let a = sets.intern(strings(&["b/#", "a"]), vec![], Manage::No);
        let b = sets.intern(strings(&["a", "b/x", "b/#", "a"]), vec![], Manage::No);
        assert!(Arc::ptr_eq(&a, &b));
        let c = sets.intern(strings(&["a", "b/#"]), vec![], Manage::Yes);
        let d = sets.intern(vec![], strings(&["a", "b/#"]), Manage::No);
        assert!(a.id() != c.id() && a.id() != d.id() && c.id() != d.id());
        assert_eq!(a.publish_filters(), [Box::from("a"), Box::from("b/#")]);
    }

    #[test]
    fn an_id_is_never_given_to_other_rights() {
        let sets = PermissionSets::default();
        let mut seen = std::collections::HashSet::new();
        for n in 0..5000 {
            let set = sets.intern(vec![format!("device/{n}")], vec![], Manage::No);
            assert!(seen.insert(set.id()), "{n}");
        }
        let kept = sets.known.lock().unwrap().sets.len();
        assert!(kept <= 2 * SWEEP_MIN, "unused sets are dropped, {kept} left");
    }

    #[test]
    fn of_two_that_cover_each_other_one_stays() {
        assert_eq!(minimal(strings(&["+/#", "#", "a/b"])), [Box::from("#")]);
    }

    #[test]
    fn inclusion_tells_lost_rights() {
        let sets = PermissionSets::default();
        let all = sets.intern(strings(&["#"]), strings(&["#"]), Manage::Yes);
        let some = sets.intern(strings(&["a/#"]), strings(&["b"]), Manage::No);
        let other = sets.intern(strings(&["a/+"]), strings(&["b"]), Manage::No);
        assert!(all.includes(&some) && some.includes(&other));
        assert!(!some.includes(&all) && !other.includes(&some));
    }
}
