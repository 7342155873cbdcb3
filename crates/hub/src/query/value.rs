//! What an expression comes to for one document, borrowing from both. Refuses to know either.

use super::number::Number;
use crate::{Moment, ShortText};
use std::borrow::Cow;
use std::cmp::Ordering;

/// A value of an expression.
#[derive(Debug, Clone)]
pub enum Value<'d> {
    /// There is none.
    Undefined,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text of the document or the query, or one that a function made.
    Text(Cow<'d, str>),
    /// A text that a document makes of something else: an etag.
    Short(ShortText),
    /// A moment that a document knows as one: compared as such with any text that says a moment.
    Moment(ShortText),
    /// An array, of which expressions see nothing more.
    List,
    /// An object, likewise.
    Object,
}

impl<'d> Value<'d> {
    /// A borrowed text.
    pub fn text_of(text: &'d str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// The text of a number.
    pub fn number_of(text: &str) -> Self {
        Number::parse(text).map_or(Self::Undefined, Self::Number)
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Short(short) => Some(short.as_str()),
            Self::Moment(moment) => Some(moment.as_str()),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    pub(super) fn of_bool(known: Option<bool>) -> Self {
        known.map_or(Self::Undefined, Self::Bool)
    }

    /// Whether two are equal; none if a side is undefined, an array or an object.
    pub(super) fn equals(&self, other: &Self) -> Option<bool> {
        if !self.is_primitive() || !other.is_primitive() {
            return None;
        }
        Some(match (self, other) {
            (Self::Null, Self::Null) => true,
            _ => self.order(other) == Some(Ordering::Equal),
        })
    }

    /// The order of two of one type that has an order.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Number(a), Self::Number(b)) => Some(a.order(*b)),
            (Self::Moment(_), _) | (_, Self::Moment(_)) => {
                let (a, b) = (self.text()?, other.text()?);
                let moments = Moment::ticks(a).zip(Moment::ticks(b));
                Some(moments.map_or_else(|| a.cmp(b), |(a, b)| a.cmp(&b)))
            }
            _ => Some(self.text()?.cmp(other.text()?)),
        }
    }

    pub(super) fn is_primitive(&self) -> bool {
        !matches!(self, Self::Undefined | Self::List | Self::Object)
    }
}
