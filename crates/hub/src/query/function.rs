//! The functions of the language: their names, how much they take and what they come to. Refuses
//! to know where arguments come from.

use super::limits::MADE_TEXT_BYTES_MAX;
use super::number::Number;
use super::value::Value;
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// A function (B5, B7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Abs,
    Exp,
    Power,
    Square,
    Ceiling,
    Floor,
    Sign,
    Sqrt,
    AsNumber,
    IsArray,
    IsBool,
    IsDefined,
    IsNull,
    IsNumber,
    IsObject,
    IsPrimitive,
    IsString,
    Concat,
    Length,
    Lower,
    Upper,
    Substring,
    IndexOf,
    StartsWith,
    EndsWith,
    Contains,
}

impl Function {
    /// The function of a name, in any case, and how many arguments it takes.
    pub fn named(name: &str) -> Option<(Self, RangeInclusive<usize>)> {
        let found = TABLE.iter().find(|row| row.0.eq_ignore_ascii_case(name))?;
        Some((found.1, found.2..=found.3))
    }

    /// Whether queries of twins and jobs have it.
    pub fn is_for_documents(self) -> bool {
        matches!(self, Self::IsDefined | Self::StartsWith | Self::EndsWith)
    }

    /// What it comes to; undefined for arguments of a type that it does not take.
    pub fn call<'v>(self, arguments: &Arguments<'_, 'v>) -> Value<'v> {
        let first = arguments.get(0);
        let bool = |bool| Value::Bool(bool);
        match self {
            Self::IsArray => bool(matches!(first, Value::List)),
            Self::IsBool => bool(first.bool().is_some()),
            Self::IsDefined => bool(!matches!(first, Value::Undefined)),
            Self::IsNull => bool(matches!(first, Value::Null)),
            Self::IsNumber => bool(first.number().is_some()),
            Self::IsObject => bool(matches!(first, Value::Object)),
            Self::IsPrimitive => bool(first.is_primitive()),
            Self::IsString => bool(first.text().is_some()),
            Self::AsNumber => as_number(&first),
            Self::Abs
            | Self::Exp
            | Self::Power
            | Self::Square
            | Self::Ceiling
            | Self::Floor
            | Self::Sign
            | Self::Sqrt => {
                let made = first.number().and_then(|number| self.of_number(number, arguments));
                made.map_or(Value::Undefined, Value::Number)
            }
            Self::Concat => concat(arguments),
            Self::Lower => made(first.text().map(str::to_lowercase)),
            Self::Upper => made(first.text().map(str::to_uppercase)),
            Self::Length => count(first.text().map(|text| text.chars().count())),
            Self::Substring => substring(&first, arguments),
            Self::IndexOf => match (first.text(), arguments.get(1).text()) {
                (Some(text), Some(part)) => {
                    let at = text.find(part).map(|byte| text[..byte].chars().count());
                    at.map_or(Value::Number(Number::Integer(-1)), |at| count(Some(at)))
                }
                _ => Value::Undefined,
            },
            Self::StartsWith => two_texts(&first, arguments, |a, b| a.starts_with(b)),
            Self::EndsWith => two_texts(&first, arguments, |a, b| a.ends_with(b)),
            Self::Contains => two_texts(&first, arguments, |a, b| a.contains(b)),
        }
    }

    fn of_number(self, number: Number, arguments: &Arguments<'_, '_>) -> Option<Number> {
        let float = number.float();
        match (self, number) {
            (Self::Abs, Number::Integer(n)) if n != i64::MIN => Some(Number::Integer(n.abs())),
            (Self::Sign, Number::Integer(n)) => Some(Number::Integer(n.signum())),
            (Self::Ceiling | Self::Floor, whole @ Number::Integer(_)) => Some(whole),
            (Self::Sign, _) if float == 0.0 => Some(Number::Integer(0)),
            (Self::Sign, _) => Some(Number::Integer(if float < 0.0 { -1 } else { 1 })),
            (Self::Square, Number::Integer(n)) if n.checked_mul(n).is_some() => {
                n.checked_mul(n).map(Number::Integer)
            }
            (Self::Abs, _) => Number::finite(float.abs()),
            (Self::Exp, _) => Number::finite(float.exp()),
            (Self::Square, _) => Number::finite(float * float),
            (Self::Ceiling, _) => Number::finite(float.ceil()),
            (Self::Floor, _) => Number::finite(float.floor()),
            (Self::Sqrt, _) => Number::finite(float.sqrt()),
            (Self::Power, _) => Number::finite(float.powf(arguments.get(1).number()?.float())),
            _ => None,
        }
    }
}

/// Arguments that are evaluated when they are looked at.
pub(super) struct Arguments<'a, 'v> {
    pub count: usize,
    pub get: &'a dyn Fn(usize) -> Value<'v>,
}

impl<'v> Arguments<'_, 'v> {
    fn get(&self, at: usize) -> Value<'v> {
        if at < self.count { (self.get)(at) } else { Value::Undefined }
    }
}

fn as_number<'v>(value: &Value<'v>) -> Value<'v> {
    match (value, value.text()) {
        (Value::Number(number), _) => Value::Number(*number),
        (_, Some(text)) if crate::json::is_number(text) => Value::number_of(text),
        _ => Value::Undefined,
    }
}

fn concat<'v>(arguments: &Arguments<'_, 'v>) -> Value<'v> {
    let mut all = String::new();
    for at in 0..arguments.count {
        let one = arguments.get(at);
        let Some(text) = one.text() else { return Value::Undefined };
        if all.len() + text.len() > MADE_TEXT_BYTES_MAX {
            return Value::Undefined;
        }
        all.push_str(text);
    }
    made(Some(all))
}

/// From a character on, to the end or for so many.
fn substring<'v>(value: &Value<'v>, arguments: &Arguments<'_, 'v>) -> Value<'v> {
    let place = |at| match arguments.get(at).number() {
        Some(Number::Integer(n)) => usize::try_from(n).ok(),
        _ => None,
    };
    let len = if arguments.count > 2 { place(2) } else { Some(usize::MAX) };
    let (Some(start), Some(len)) = (place(1), len) else { return Value::Undefined };
    let range = |text: &str| {
        let byte = |n| text.char_indices().nth(n).map_or(text.len(), |(byte, _)| byte);
        let start_byte = byte(start);
        start_byte..if len == usize::MAX { text.len() } else { byte(start.saturating_add(len)) }
    };
    match value {
        Value::Text(Cow::Borrowed(text)) => Value::text_of(&text[range(text)]),
        other => made(other.text().map(|text| text[range(text)].to_owned())),
    }
}

fn two_texts<'v>(
    first: &Value<'v>,
    arguments: &Arguments<'_, 'v>,
    holds: impl Fn(&str, &str) -> bool,
) -> Value<'v> {
    match (first.text(), arguments.get(1).text()) {
        (Some(a), Some(b)) => Value::Bool(holds(a, b)),
        _ => Value::Undefined,
    }
}

fn made<'v>(text: Option<String>) -> Value<'v> {
    text.map_or(Value::Undefined, |text| Value::Text(Cow::Owned(text)))
}

fn count<'v>(count: Option<usize>) -> Value<'v> {
    let count = count.and_then(|count| i64::try_from(count).ok());
    count.map_or(Value::Undefined, |count| Value::Number(Number::Integer(count)))
}

/// Name, function, least and most arguments.
const TABLE: [(&str, Function, usize, usize); 26] = [
    ("ABS", Function::Abs, 1, 1),
    ("EXP", Function::Exp, 1, 1),
    ("POWER", Function::Power, 2, 2),
    ("SQUARE", Function::Square, 1, 1),
    ("CEILING", Function::Ceiling, 1, 1),
    ("FLOOR", Function::Floor, 1, 1),
    ("SIGN", Function::Sign, 1, 1),
    ("SQRT", Function::Sqrt, 1, 1),
    ("AS_NUMBER", Function::AsNumber, 1, 1),
    ("IS_ARRAY", Function::IsArray, 1, 1),
    ("IS_BOOL", Function::IsBool, 1, 1),
    ("IS_DEFINED", Function::IsDefined, 1, 1),
    ("IS_NULL", Function::IsNull, 1, 1),
    ("IS_NUMBER", Function::IsNumber, 1, 1),
    ("IS_OBJECT", Function::IsObject, 1, 1),
    ("IS_PRIMITIVE", Function::IsPrimitive, 1, 1),
    ("IS_STRING", Function::IsString, 1, 1),
    ("CONCAT", Function::Concat, 1, usize::MAX),
    ("LENGTH", Function::Length, 1, 1),
    ("LOWER", Function::Lower, 1, 1),
    ("UPPER", Function::Upper, 1, 1),
    ("SUBSTRING", Function::Substring, 2, 3),
    ("INDEX_OF", Function::IndexOf, 2, 2),
    ("STARTS_WITH", Function::StartsWith, 2, 2),
    ("ENDS_WITH", Function::EndsWith, 2, 2),
    ("CONTAINS", Function::Contains, 2, 2),
];
