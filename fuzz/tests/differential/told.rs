//! A packet in words that every codec can say: one line a field, defaults left out. Refuses to
//! know any codec.

use std::fmt::Display;

/// The lines of one packet, sorted; like ones keep their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told(Vec<(&'static str, String)>);

impl Told {
    /// A packet of this name.
    pub fn packet(name: &'static str) -> Self {
        Self(vec![(PACKET, name.to_owned())])
    }

    /// A field.
    pub fn say(mut self, field: &'static str, value: impl Display) -> Self {
        self.0.push((field, value.to_string()));
        self
    }

    /// A field that may be absent.
    pub fn maybe(self, field: &'static str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.say(field, value),
            None => self,
        }
    }

    /// A field that says something only when it differs from its default.
    pub fn unless<T: Display + PartialEq + Copy>(
        self,
        field: &'static str,
        value: Option<T>,
        default: T,
    ) -> Self {
        self.maybe(field, value.filter(|value| *value != default))
    }

    /// Bytes that may be absent.
    pub fn bytes(self, field: &'static str, value: Option<&[u8]>) -> Self {
        self.maybe(field, value.map(|bytes| format!("{bytes:02x?}")))
    }

    /// Bytes that nobody tells from absent ones.
    pub fn payload(self, field: &'static str, value: &[u8]) -> Self {
        self.bytes(field, Some(value).filter(|bytes| !bytes.is_empty()))
    }

    /// Pairs in their order.
    pub fn pairs<K: Display, V: Display>(
        mut self,
        field: &'static str,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.0.extend(pairs.into_iter().map(|(k, v)| (field, format!("{k}: {v}"))));
        self
    }

    /// Several values in their order.
    pub fn each<V: Display>(
        mut self,
        field: &'static str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.0.extend(values.into_iter().map(|v| (field, v.to_string())));
        self
    }

    /// In the order of the fields' names.
    pub fn told(mut self) -> Self {
        self.0.sort_by_key(|(field, _)| *field);
        self
    }

    /// The packet's name.
    pub fn name(&self) -> &str {
        self.0.iter().find(|(field, _)| *field == PACKET).map_or("", |(_, name)| name)
    }

    /// Without some fields.
    pub fn without(&self, fields: &[&str]) -> Self {
        Self(self.0.iter().filter(|(field, _)| !fields.contains(field)).cloned().collect())
    }

    /// The first field on which two tellings differ.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let differs = |field: &str| {
            let of = |told: &Self| -> Vec<String> {
                told.0.iter().filter(|(f, _)| *f == field).map(|(_, v)| v.clone()).collect()
            };
            of(self) != of(other)
        };
        self.0.iter().chain(&other.0).map(|(field, _)| *field).find(|field| differs(field))
    }
}

const PACKET: &str = " packet";
