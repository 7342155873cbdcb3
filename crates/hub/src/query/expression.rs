//! The tree of an expression. Refuses to know its text and any document.

use super::function::Function;
use super::number::Number;
use super::path::Path;
use super::value::Value;

/// An expression. Chains of one operator are lists, so the tree is no deeper than its text nests.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    Constant(Constant),
    Path(Path),
    Not(Box<Self>),
    /// `AND`.
    All(Vec<Self>),
    /// `OR`.
    Any(Vec<Self>),
    Compare(Box<(Self, Comparison, Self)>),
    /// `IN`, `NIN`.
    Member(Box<Self>, Membership, Vec<Constant>),
    Negative(Box<Self>),
    /// From left to right.
    Arithmetic(Box<Self>, Vec<(Operator, Self)>),
    Call(Function, Vec<Self>),
}

/// A constant of a query.
#[derive(Debug, Clone)]
pub enum Constant {
    /// `undefined`.
    Undefined,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(Box<str>),
}

impl Constant {
    /// As a value.
    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Undefined => Value::Undefined,
            Self::Null => Value::Null,
            Self::Bool(bool) => Value::Bool(*bool),
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::text_of(text),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    In,
    NotIn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Expression {
    /// Whether a path of it is one of those.
    pub fn has_path(&self, is: &impl Fn(&Path) -> bool) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Path(path) => is(path),
            Self::Not(one) | Self::Negative(one) | Self::Member(one, ..) => one.has_path(is),
            Self::All(all) | Self::Any(all) | Self::Call(_, all) => {
                all.iter().any(|one| one.has_path(is))
            }
            Self::Compare(sides) => sides.0.has_path(is) || sides.2.has_path(is),
            Self::Arithmetic(first, rest) => {
                first.has_path(is) || rest.iter().any(|(_, one)| one.has_path(is))
            }
        }
    }
}
