//! The properties that a sender made up (iot-hub A12): each name once, in their order. Refuses to
//! know how they were spelled on the wire.

use std::borrow::Cow;

/// Name and value.
pub type Property<'m> = (Cow<'m, str>, Cow<'m, str>);

/// Application properties in the order in which their names first came. No name stands twice; two
/// that differ by case only are two.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApplicationProperties<'m>(Vec<Property<'m>>);

impl<'m> ApplicationProperties<'m> {
    /// Takes what a sender wrote: of a name that stands there twice, the last value at the place
    /// of the first. Never takes more than sorting does: a packet may hold 60,000 of them.
    pub fn of(mut all: Vec<Property<'m>>) -> Self {
        if all.len() > 1 {
            let mut order: Vec<usize> = (0..all.len()).collect();
            order.sort_unstable_by(|&a, &b| all[a].0.cmp(&all[b].0).then(a.cmp(&b)));
            let (mut moved, mut gone) = (Vec::new(), Vec::new());
            for same in order.chunk_by(|&a, &b| all[a].0 == all[b].0) {
                if let [first, others @ .., last] = same {
                    moved.push((*first, *last));
                    gone.extend_from_slice(others);
                    gone.push(*last);
                }
            }
            moved.into_iter().for_each(|(first, last)| all.swap(first, last));
            if !gone.is_empty() {
                gone.sort_unstable();
                let (mut at, mut gone) = (0, gone.into_iter().peekable());
                all.retain(|_| {
                    at += 1;
                    gone.next_if_eq(&(at - 1)).is_none()
                });
            }
        }
        Self(all)
    }

    /// Puts a value of the hub's own there, in the place of one that the sender gave.
    pub fn set(&mut self, name: &'static str, value: &'static str) {
        match self.0.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) => *old = Cow::Borrowed(value),
            None => self.0.push((Cow::Borrowed(name), Cow::Borrowed(value))),
        }
    }

    /// Names and values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value of a name, with its case: one pass.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Bytes of all names and values.
    pub fn bytes(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

/// Borrowed names and values, as [`of`](ApplicationProperties::of) takes them.
impl<'m> FromIterator<(&'m str, &'m str)> for ApplicationProperties<'m> {
    fn from_iter<I: IntoIterator<Item = (&'m str, &'m str)>>(all: I) -> Self {
        let borrowed = |(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value));
        Self::of(all.into_iter().map(borrowed).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    fn of<'m>(all: &[(&'m str, &'m str)]) -> ApplicationProperties<'m> {
        all.iter().copied().collect()
    }

    #[test]
    fn the_last_value_counts_at_the_first_place() {
        let mut all = of(&[("b", "1"), ("", "2"), ("a", "3"), ("b", "4"), ("B", "5"), ("b", "6")]);
        let left = [("b", "6"), ("", "2"), ("a", "3"), ("B", "5")];
        assert!(all.iter().eq(left));
        assert_eq!((all.get("b"), all.get("c"), all.bytes()), (Some("6"), None, 7));
        all.set("a", "7");
        all.set("c", "8");
        assert_eq!((all.get("a"), all.get("c")), (Some("7"), Some("8")));
        assert_eq!(of(&[]).iter().len(), 0);
    }

    #[test]
    fn it_is_what_setting_one_after_the_other_gives() {
        let mut chance = Chance::new(5);
        for _ in 0..300 {
            let names = ["a", "b", "c", "d", "e"];
            let values = ["1", "2", "3", "4", "5", "6", "7", "8"];
            let all: Vec<_> = (0..chance.below(12))
                .map(|_| (chance.one_of(&names), chance.one_of(&values)))
                .collect();
            let mut slow: Vec<(&str, &str)> = Vec::new();
            for &(name, value) in &all {
                match slow.iter_mut().find(|(other, _)| *other == name) {
                    Some(old) => old.1 = value,
                    None => slow.push((name, value)),
                }
            }
            assert!(of(&all).iter().eq(slow.iter().copied()), "{all:?}");
        }
    }

    #[test]
    fn sixty_thousand_properties_take_no_time() {
        let names: Vec<String> = (0..60_000).map(|n| format!("{}", n % 30_000)).collect();
        let all = names.iter().map(|name| (name.as_str().into(), "v".into())).collect();
        assert_eq!(ApplicationProperties::of(all).iter().len(), 30_000);
    }
}
