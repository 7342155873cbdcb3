//! Wildcard filters in a tree over their levels.
//!
//! Owns the levels and which topics they match (MQTT 5, 4.7). Refuses to know what a filter's
//! value means: the index stores a filter's number in it, the interest a number of counts.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::level::Level;
use super::slab::{NONE, Slab};

/// Filters with wildcards, each with one value.
///
/// A node is 36 bytes and all named edges share one table, because most nodes have one child.
pub(super) struct Tree {
    nodes: Slab<Node>,
    /// Node numbers, by parent and level.
    edges: HashTable<u32>,
    /// Levels too long for a node.
    longs: Slab<Box<str>>,
    hasher: RandomState,
    root: u32,
}

struct Node {
    /// The level that leads here; empty below a `+` edge and at the root, where nobody reads it.
    level: Level,
    parent: u32,
    /// The child below `+`.
    plus: u32,
    /// Children in the table of edges.
    named: u32,
    /// The value of the filter that ends here.
    value: u32,
    /// The value of the filter that ends here with `#`.
    hash_value: u32,
}

impl Tree {
    pub(super) fn new() -> Self {
        let (mut nodes, mut longs) = (Slab::new(), Slab::new());
        let root = nodes.insert(Node::below(NONE, Level::new("", &mut longs)));
        Self { nodes, edges: HashTable::new(), longs, hasher: RandomState::default(), root }
    }

    /// Stores `value` (not [`NONE`]) under `filter` and returns the one it replaces.
    pub(super) fn insert(&mut self, filter: &str, value: u32) -> Option<u32> {
        let mut at = self.root;
        for level in filter.split('/') {
            if level == "#" {
                return replace(&mut self.node_mut(at).hash_value, value);
            }
            at = self.child_or_new(at, level);
        }
        replace(&mut self.node_mut(at).value, value)
    }

    /// The value of exactly this filter.
    pub(super) fn get(&self, filter: &str) -> Option<u32> {
        let mut at = self.root;
        for level in filter.split('/') {
            if level == "#" {
                return some(self.node(at).hash_value);
            }
            at = self.child(at, level)?;
        }
        some(self.node(at).value)
    }

    /// Removes the filter and every node that only led to it.
    pub(super) fn remove(&mut self, filter: &str) -> Option<u32> {
        let mut at = self.root;
        for level in filter.split('/') {
            if level == "#" {
                let value = replace(&mut self.node_mut(at).hash_value, NONE);
                self.prune(at);
                return value;
            }
            at = self.child(at, level)?;
        }
        let value = replace(&mut self.node_mut(at).value, NONE);
        self.prune(at);
        value
    }

    /// Calls `each` once for every filter that matches `topic` (MQTT 5, 4.7.1, 4.7.2-1).
    ///
    /// Iterative: the depth of a topic is its sender's choice.
    pub(super) fn matches(&self, topic: &str, each: &mut impl FnMut(u32)) {
        let root = self.node(self.root);
        if root.is_empty() {
            return;
        }
        // Places where the other branch still has to be followed: (node, rest of the topic).
        let mut later: Vec<(u32, Option<&str>)> = Vec::new();
        let dollar = topic.starts_with('$');
        if !dollar {
            emit(root.hash_value, each);
        }
        let (first, rest) = split(topic);
        let plus = if dollar { NONE } else { root.plus };
        let mut next = self.branch(self.root, first, plus, rest, &mut later);
        while let Some((at, rest)) = next.or_else(|| later.pop()) {
            let node = self.node(at);
            emit(node.hash_value, each);
            let Some(rest) = rest else {
                emit(node.value, each);
                next = None;
                continue;
            };
            let (level, rest) = split(rest);
            next = if node.named == 0 {
                some(node.plus).map(|plus| (plus, rest))
            } else {
                self.branch(at, level, node.plus, rest, &mut later)
            };
        }
    }

    /// Whether no filter is stored.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.len() == 1
            && self.edges.is_empty()
            && self.longs.len() == 0
            && self.node(self.root).is_empty()
    }

    /// The way on from `at`; when both `+` and the level lead on, one of them waits in `later`.
    #[inline]
    fn branch<'t>(
        &self,
        at: u32,
        level: &str,
        plus: u32,
        rest: Option<&'t str>,
        later: &mut Vec<(u32, Option<&'t str>)>,
    ) -> Option<(u32, Option<&'t str>)> {
        match (self.named(at, level), some(plus)) {
            (Some(named), Some(plus)) => {
                later.push((plus, rest));
                Some((named, rest))
            }
            (one, other) => one.or(other).map(|child| (child, rest)),
        }
    }

    fn child(&self, at: u32, level: &str) -> Option<u32> {
        if level == "+" { some(self.node(at).plus) } else { self.named(at, level) }
    }

    #[inline]
    fn named(&self, parent: u32, level: &str) -> Option<u32> {
        let same = |&id: &u32| {
            let node = self.node(id);
            node.parent == parent && node.level.bytes(&self.longs) == level.as_bytes()
        };
        self.edges.find(hash_of(&self.hasher, parent, level.as_bytes()), same).copied()
    }

    fn child_or_new(&mut self, at: u32, level: &str) -> u32 {
        if let Some(child) = self.child(at, level) {
            return child;
        }
        if level == "+" {
            let child = self.nodes.insert(Node::below(at, Level::new("", &mut self.longs)));
            self.node_mut(at).plus = child;
            return child;
        }
        let child = self.nodes.insert(Node::below(at, Level::new(level, &mut self.longs)));
        self.node_mut(at).named += 1;
        let hash = hash_of(&self.hasher, at, level.as_bytes());
        let (nodes, longs, hasher) = (&self.nodes, &self.longs, &self.hasher);
        self.edges.insert_unique(hash, child, |&id| {
            let node = nodes.get(id).expect("edges lead to nodes");
            hash_of(hasher, node.parent, node.level.bytes(longs))
        });
        child
    }

    fn prune(&mut self, mut at: u32) {
        while at != self.root && self.node(at).is_empty() {
            let node = self.nodes.remove(at).expect("the path to a filter exists");
            let parent = self.node_mut(node.parent);
            if parent.plus == at {
                parent.plus = NONE;
            } else {
                parent.named -= 1;
                let hash = hash_of(&self.hasher, node.parent, node.level.bytes(&self.longs));
                if let Ok(edge) = self.edges.find_entry(hash, |&id| id == at) {
                    edge.remove();
                }
            }
            at = node.parent;
            node.level.release(&mut self.longs);
        }
    }

    #[inline]
    fn node(&self, id: u32) -> &Node {
        self.nodes.get(id).expect("edges lead to nodes")
    }

    fn node_mut(&mut self, id: u32) -> &mut Node {
        self.nodes.get_mut(id).expect("edges lead to nodes")
    }
}

impl Node {
    fn below(parent: u32, level: Level) -> Self {
        Self { level, parent, plus: NONE, named: 0, value: NONE, hash_value: NONE }
    }

    fn is_empty(&self) -> bool {
        self.named == 0 && self.plus == NONE && self.value == NONE && self.hash_value == NONE
    }
}

#[inline]
fn hash_of(hasher: &RandomState, parent: u32, level: &[u8]) -> u64 {
    hasher.hash_one((parent, level))
}

#[inline]
fn split(rest: &str) -> (&str, Option<&str>) {
    match rest.split_once('/') {
        Some((level, rest)) => (level, Some(rest)),
        None => (rest, None),
    }
}

#[inline]
fn emit(value: u32, each: &mut impl FnMut(u32)) {
    if value != NONE {
        each(value);
    }
}

fn some(id: u32) -> Option<u32> {
    (id != NONE).then_some(id)
}

fn replace(place: &mut u32, value: u32) -> Option<u32> {
    some(std::mem::replace(place, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(tree: &Tree, topic: &str) -> Vec<u32> {
        let mut out = Vec::new();
        tree.matches(topic, &mut |value| out.push(value));
        out.sort_unstable();
        out
    }

    #[test]
    fn the_examples_of_the_standard() {
        // (filter, topics it matches, topics it does not): MQTT 5, 4.7.1.2, 4.7.1.3, 4.7.2.
        let rows: &[(&str, &[&str], &[&str])] = &[
            (
                "sport/tennis/player1/#",
                &[
                    "sport/tennis/player1",
                    "sport/tennis/player1/ranking",
                    "sport/tennis/player1/score/wimbledon",
                ],
                &["sport/tennis/player10", "sport/tennis"],
            ),
            ("sport/#", &["sport", "sport/", "sport/a/b"], &["sports", "/sport"]),
            ("#", &["a", "/", "a/b", "/a"], &["$SYS", "$SYS/a"]),
            (
                "sport/tennis/+",
                &["sport/tennis/player1", "sport/tennis/"],
                &["sport/tennis", "sport/tennis/player1/ranking"],
            ),
            ("+", &["finance", "a"], &["/finance", "a/b", "$SYS"]),
            ("+/+", &["/finance", "a/b", "/"], &["finance", "$SYS/a", "a/b/c"]),
            ("/+", &["/finance", "/"], &["finance", "a/finance"]),
            ("+/tennis/#", &["a/tennis", "/tennis/x/y"], &["$a/tennis", "tennis"]),
            ("+/monitor/Clients", &["x/monitor/Clients"], &["$SYS/monitor/Clients"]),
            ("$SYS/#", &["$SYS", "$SYS/a/b"], &["SYS/a", "$SYSTEM"]),
            ("$SYS/monitor/+", &["$SYS/monitor/Clients"], &["$SYS/monitor"]),
            ("a/+/+/d", &["a/b/c/d", "a///d"], &["a/b/d", "a/b/c/d/e"]),
        ];
        for (filter, matching, other) in rows {
            let mut tree = Tree::new();
            assert_eq!(tree.insert(filter, 4), None);
            assert_eq!(tree.get(filter), Some(4));
            for topic in *matching {
                assert_eq!(found(&tree, topic), [4], "{filter} matches {topic}");
            }
            for topic in *other {
                assert!(found(&tree, topic).is_empty(), "{filter} does not match {topic}");
            }
            assert_eq!(tree.remove(filter), Some(4));
            assert!(tree.is_empty(), "{filter} leaves nothing behind");
        }
    }

    #[test]
    fn removing_keeps_what_others_still_need() {
        let mut tree = Tree::new();
        for (value, filter) in ["a/+", "a/+/c", "a/#", "+/+", "a/b/#"].iter().enumerate() {
            tree.insert(filter, u32::try_from(value).unwrap());
        }
        assert_eq!(found(&tree, "a/b"), [0, 2, 3, 4]);
        assert_eq!(tree.remove("a/+"), Some(0));
        assert_eq!(tree.remove("a/+"), None);
        assert_eq!(tree.remove("never/+"), None);
        assert_eq!(found(&tree, "a/b"), [2, 3, 4]);
        assert_eq!(found(&tree, "a/b/c"), [1, 2, 4]);
        for (filter, value) in [("+/+", 3), ("a/#", 2), ("a/b/#", 4), ("a/+/c", 1)] {
            assert_eq!(tree.remove(filter), Some(value));
        }
        assert!(tree.is_empty());
    }

    #[test]
    fn the_deepest_topic_needs_no_stack() {
        let deep = "/".repeat(65_535);
        let mut tree = Tree::new();
        let filter = format!("{}#", "+/".repeat(32_000));
        tree.insert(&filter, 1);
        tree.insert(&format!("{}#", "/".repeat(32_000)), 2);
        assert_eq!(found(&tree, &deep), [1, 2]);
        assert_eq!(tree.remove(&filter), Some(1));
    }
}
