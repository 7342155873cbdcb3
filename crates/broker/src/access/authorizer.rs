//! The one place that says who may publish and subscribe.
//!
//! Owns the rules of reserved topics, sizes and coverage (event-grid 5.4), and the proofs that
//! they were applied. Pure: no IO, no lock. Refuses to know how a principal got its permissions.

use std::ops::Deref;

use mqtt::topic::TopicFilter;

use super::coverage;
use super::denied::{Action, Denied};
use super::permission::PermissionSet;
use crate::limits::{DollarTopics, Limits};

/// Decides who may publish and subscribe in one namespace.
#[derive(Clone, Debug)]
pub struct Authorizer {
    topic_bytes_max: usize,
    topic_levels_max: usize,
    dollar_topics: DollarTopics,
}

/// Proof that the [`Authorizer`] has allowed what is inside; only it can make one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Authorized<T>(T);

/// Proof that publishing to a topic was allowed to a permission set. It may be cached for exactly
/// that pair, and for nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Permit(());

impl<T> Authorized<T> {
    /// What was allowed.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// The same proof for a part or another form of what was allowed.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Authorized<U> {
        Authorized(form(self.0))
    }
}

impl<T> Deref for Authorized<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl Permit {
    /// Marks the publish this permit was given for.
    #[inline]
    pub fn authorize<T>(self, publish: T) -> Authorized<T> {
        Authorized(publish)
    }
}

impl Authorizer {
    /// With the profile's bounds for topics.
    pub fn new(limits: &Limits) -> Self {
        Self {
            topic_bytes_max: limits.topic_bytes_max,
            topic_levels_max: limits.topic_levels_max,
            dollar_topics: limits.dollar_topics,
        }
    }

    /// Whether holders of `set` may publish to `topic`, a valid topic name with its alias
    /// resolved.
    ///
    /// # Errors
    /// Why not.
    pub fn publish(&self, set: &PermissionSet, topic: &str) -> Result<Permit, Denied> {
        self.check_size(Action::Publish, topic)?;
        if self.is_reserved(topic) {
            return Err(Denied::Reserved(Action::Publish));
        }
        if set.publish_filters().iter().any(|filter| coverage::allows_topic(filter, topic)) {
            return Ok(Permit(()));
        }
        Err(Denied::NoTemplate(Action::Publish))
    }

    /// Marks a publish with its permit.
    #[inline]
    pub fn authorize_publish<T>(&self, permit: Permit, publish: T) -> Authorized<T> {
        permit.authorize(publish)
    }

    /// The permit for what the broker itself publishes: `$SYS`, life-cycle events, the hub's
    /// answers. Never to be used for anything a client has chosen.
    pub fn own_publish(&self) -> Permit {
        Permit(())
    }

    /// Whether holders of `set` may subscribe to `filter` (of a shared subscription: the part
    /// behind the share name, event-grid 3.6). One of the set's filters must cover it whole.
    ///
    /// # Errors
    /// Why not.
    pub fn subscribe<'f>(
        &self,
        set: &PermissionSet,
        filter: TopicFilter<'f>,
    ) -> Result<Authorized<TopicFilter<'f>>, Denied> {
        let text = filter.as_str();
        self.check_size(Action::Subscribe, text)?;
        self.check_read(set, text)?;
        Ok(Authorized(filter))
    }

    /// Whether holders of `set` may read the retained message of `topic` (event-grid 8.2): as
    /// subscribing to exactly it.
    ///
    /// # Errors
    /// Why not.
    pub fn read(&self, set: &PermissionSet, topic: &str) -> Result<(), Denied> {
        self.check_size(Action::Subscribe, topic)?;
        self.check_read(set, topic)
    }

    fn check_read(&self, set: &PermissionSet, text: &str) -> Result<(), Denied> {
        let reserved = self.is_reserved(text);
        if reserved && !self.is_readable(first_level(text)) {
            return Err(Denied::Reserved(Action::Subscribe));
        }
        let allows = |filter: &str| {
            // What the broker says of itself is for those who may read everything, or for those
            // whose template names it.
            let named = !filter.starts_with(['+', '#']) || matches!(filter, "#" | "+/#");
            (!reserved || named) && coverage::allows_filter(filter, text)
        };
        if set.subscribe_filters().iter().any(|filter| allows(filter)) {
            return Ok(());
        }
        Err(Denied::NoTemplate(Action::Subscribe))
    }

    fn check_size(&self, action: Action, text: &str) -> Result<(), Denied> {
        if text.len() > self.topic_bytes_max {
            let bytes_max = u32::try_from(self.topic_bytes_max).unwrap_or(u32::MAX);
            return Err(Denied::TooLong { action, bytes_max });
        }
        // A topic of n bytes has at most n + 1 levels: in `open` nothing is counted.
        if text.len() >= self.topic_levels_max {
            let levels = text.bytes().filter(|b| *b == b'/').count() + 1;
            if levels > self.topic_levels_max {
                let levels_max = u32::try_from(self.topic_levels_max).unwrap_or(u32::MAX);
                return Err(Denied::TooDeep { action, levels_max });
            }
        }
        Ok(())
    }

    fn is_reserved(&self, text: &str) -> bool {
        text.starts_with('$')
            && match self.dollar_topics {
                DollarTopics::AllReserved => true,
                DollarTopics::SystemReserved => SYSTEM_LEVELS.contains(&first_level(text)),
            }
    }

    /// Whether clients may hear reserved topics of this first level.
    fn is_readable(&self, level: &str) -> bool {
        self.dollar_topics == DollarTopics::SystemReserved && READABLE_LEVELS.contains(&level)
    }
}

fn first_level(text: &str) -> &str {
    text.split('/').next().unwrap_or(text)
}

/// First levels whose topics have a meaning of ours.
const SYSTEM_LEVELS: [&str; 5] = ["$SYS", "$gridhub", "$iothub", "$share", "$queue"];

/// Those of them that the broker publishes to for anybody who may read them.
const READABLE_LEVELS: [&str; 2] = ["$SYS", "$gridhub"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Manage, PermissionSets};
    use std::sync::Arc;

    /// (filters, topic or filter, refused in open, refused in event-grid)
    type Row<'a> = (&'a [&'a str], &'a str, Option<Denied>, Option<Denied>);

    fn set(publish: &[&str], subscribe: &[&str]) -> Arc<PermissionSet> {
        let own = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        PermissionSets::default().intern(own(publish), own(subscribe), Manage::No)
    }

    #[test]
    fn publish_rows() {
        use Action::Publish;
        let open = Authorizer::new(&Limits::open());
        let grid = Authorizer::new(&Limits::event_grid());
        let (none, reserved) = (Denied::NoTemplate(Publish), Denied::Reserved(Publish));
        let deep = "a/b/c/d/e/f/g/h/i";
        let long = "x".repeat(257);
        let too_deep = Denied::TooDeep { action: Publish, levels_max: 8 };
        let too_long = Denied::TooLong { action: Publish, bytes_max: 256 };
        let rows: &[Row<'_>] = &[
            (&["#"], "a/b", None, None),
            (&["a/+", "c"], "c", None, None),
            (&["a/+"], "a/b/c", Some(none), Some(none)),
            (&[], "a", Some(none), Some(none)),
            (&["#"], "$SYS/broker/uptime", Some(reserved), Some(reserved)),
            (&["$SYS/#"], "$SYS", Some(reserved), Some(reserved)),
            (&["#"], "$iothub/methods/res/200", Some(reserved), Some(reserved)),
            (&["#"], "$gridhub/events/x", Some(reserved), Some(reserved)),
            (&["#"], "$share/g/a", Some(reserved), Some(reserved)),
            (&["#"], "$queue/a", Some(reserved), Some(reserved)),
            (&["#"], "$SYSTEM/a", None, Some(reserved)),
            (&["+/a"], "$mine/a", None, Some(reserved)),
            (&["a/#"], "$mine/a", Some(none), Some(reserved)),
            (&["#"], deep, None, Some(too_deep)),
            (&["#"], "a/b/c/d/e/f/g/h", None, None),
            (&["#"], "///////", None, None),
            (&["#"], "////////", None, Some(too_deep)),
            (&["#"], &long, None, Some(too_long)),
            (&["#"], &long[1..], None, None),
        ];
        for (filters, topic, in_open, in_grid) in rows {
            let set = set(filters, &[]);
            assert_eq!(open.publish(&set, topic).err(), *in_open, "open {filters:?} {topic}");
            assert_eq!(grid.publish(&set, topic).err(), *in_grid, "grid {filters:?} {topic}");
        }
    }

    #[test]
    fn subscribe_rows() {
        use Action::Subscribe;
        let open = Authorizer::new(&Limits::open());
        let grid = Authorizer::new(&Limits::event_grid());
        let (none, reserved) = (Denied::NoTemplate(Subscribe), Denied::Reserved(Subscribe));
        let too_deep = Denied::TooDeep { action: Subscribe, levels_max: 8 };
        let rows: &[Row<'_>] = &[
            (&["#"], "#", None, None),
            (&["+/#"], "#", None, None),
            (&["a/#"], "a", None, None),
            (&["a/#"], "#", Some(none), Some(none)),
            (&["a/+"], "a/#", Some(none), Some(none)),
            (&["a/+"], "a/+", None, None),
            (&["a/+", "a"], "a/b", None, None),
            (&["#"], "$SYS/#", None, Some(reserved)),
            (&["+/broker/#"], "$SYS/broker/#", Some(none), Some(reserved)),
            (&["$SYS/broker/#"], "$SYS/broker/load/+", None, Some(reserved)),
            (&["a/#"], "$SYS/#", Some(none), Some(reserved)),
            (&["$gridhub/events/#"], "$gridhub/events/+", None, Some(reserved)),
            (&["#"], "$iothub/twin/#", Some(reserved), Some(reserved)),
            (&["#"], "$queue/a", Some(reserved), Some(reserved)),
            (&["#"], "$share/g/a", Some(reserved), Some(reserved)),
            (&["+/a"], "$mine/a", None, Some(reserved)),
            (&["#"], "a/b/c/d/e/f/g/h/#", None, Some(too_deep)),
        ];
        for (filters, text, in_open, in_grid) in rows {
            let set = set(&[], filters);
            let filter = TopicFilter::parse(text).unwrap();
            assert_eq!(open.subscribe(&set, filter).err(), *in_open, "open {filters:?} {text}");
            assert_eq!(grid.subscribe(&set, filter).err(), *in_grid, "grid {filters:?} {text}");
        }
    }

    #[test]
    fn reading_a_retained_message_is_subscribing_to_it() {
        let open = Authorizer::new(&Limits::open());
        let set = set(&["w"], &["a/+"]);
        assert!(open.read(&set, "a/b").is_ok());
        assert_eq!(open.read(&set, "w"), Err(Denied::NoTemplate(Action::Subscribe)));
    }

    #[test]
    fn a_permit_marks_its_publish() {
        let open = Authorizer::new(&Limits::open());
        let permit = open.publish(&set(&["a"], &[]), "a").unwrap();
        let publish = permit.authorize("a").map(str::len);
        assert_eq!((*publish, open.authorize_publish(permit, 2).into_inner()), (1, 2));
        assert_eq!(open.own_publish().authorize(7).into_inner(), 7);
    }
}
