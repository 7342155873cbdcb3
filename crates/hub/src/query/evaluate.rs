//! What an expression says of a document. Refuses to know how either came to be; allocates for
//! nothing but texts that functions make.

use super::document::Document;
use super::expression::{Comparison, Expression, Membership, Operator};
use super::function::Arguments;
use super::number::Number;
use super::value::Value;

impl Expression {
    pub fn evaluate<'v, D: Document + ?Sized>(&'v self, document: &'v D) -> Value<'v> {
        match self {
            Self::Constant(constant) => constant.value(),
            Self::Path(path) => document.value(path),
            Self::Not(one) => Value::of_bool(one.evaluate(document).bool().map(|bool| !bool)),
            Self::All(all) => Self::unless(all, false, document),
            Self::Any(all) => Self::unless(all, true, document),
            Self::Compare(sides) => {
                let (left, comparison, right) = &**sides;
                let (left, right) = (left.evaluate(document), right.evaluate(document));
                Value::of_bool(comparison.holds(&left, &right))
            }
            Self::Member(one, membership, constants) => {
                let one = one.evaluate(document);
                if !one.is_primitive() {
                    return Value::Undefined;
                }
                let found = constants.iter().any(|c| one.equals(&c.value()) == Some(true));
                Value::Bool(found == (*membership == Membership::In))
            }
            Self::Negative(one) => {
                let number = one.evaluate(document).number();
                let zero = Number::Integer(0);
                let negative = number.and_then(|n| arithmetic(zero, Operator::Subtract, n));
                negative.map_or(Value::Undefined, Value::Number)
            }
            Self::Arithmetic(first, rest) => {
                let mut left = first.evaluate(document).number();
                for (operator, right) in rest {
                    let right = right.evaluate(document).number();
                    left = left.zip(right).and_then(|(a, b)| arithmetic(a, *operator, b));
                }
                left.map_or(Value::Undefined, Value::Number)
            }
            Self::Call(function, arguments) => function.call(&Arguments {
                count: arguments.len(),
                get: &|at| arguments[at].evaluate(document),
            }),
        }
    }

    /// `decisive` if one of them is, else the opposite if all are, else undefined.
    fn unless<'v, D: Document + ?Sized>(
        all: &'v [Self],
        decisive: bool,
        document: &'v D,
    ) -> Value<'v> {
        let mut known = true;
        for one in all {
            match one.evaluate(document).bool() {
                Some(bool) if bool == decisive => return Value::Bool(decisive),
                Some(_) => {}
                None => known = false,
            }
        }
        if known { Value::Bool(!decisive) } else { Value::Undefined }
    }
}

impl Comparison {
    fn holds(self, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
        match self {
            Self::Equal => left.equals(right),
            Self::Unequal => left.equals(right).map(|equal| !equal),
            Self::Less => left.order(right).map(|order| order.is_lt()),
            Self::LessOrEqual => left.order(right).map(|order| order.is_le()),
            Self::Greater => left.order(right).map(|order| order.is_gt()),
            Self::GreaterOrEqual => left.order(right).map(|order| order.is_ge()),
        }
    }
}

/// Whole numbers stay whole where the result is; none where it is no number.
fn arithmetic(left: Number, operator: Operator, right: Number) -> Option<Number> {
    if let (Number::Integer(a), Number::Integer(b)) = (left, right) {
        let whole = match operator {
            Operator::Add => a.checked_add(b),
            Operator::Subtract => a.checked_sub(b),
            Operator::Multiply => a.checked_mul(b),
            Operator::Divide if b != 0 && a.checked_rem(b) == Some(0) => a.checked_div(b),
            Operator::Divide => None,
            Operator::Remainder => a.checked_rem(b),
        };
        if let Some(whole) = whole {
            return Some(Number::Integer(whole));
        }
    }
    let (a, b) = (left.float(), right.float());
    Number::finite(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::Remainder => a % b,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Condition, Query, Source, Verdict};
    use crate::chance::Chance;
    use crate::json;

    /// A condition of our own, with its own idea of what it says.
    enum Naive {
        Compare(&'static str, &'static str, &'static str),
        Not(Box<Self>),
        Both(&'static str, Box<Self>, Box<Self>),
    }

    const PATHS: [&str; 6] = ["a", "b", "o.c", "o", "none", "t"];
    const CONSTANTS: [&str; 8] = ["1", "2.50", "'x'", "'y'", "true", "null", "undefined", "-3"];
    const DOCUMENT: &str = r#"{"a":1.0,"b":"x","o":{"c":null},"t":true}"#;

    impl Naive {
        fn random(chance: &mut Chance, depth: usize) -> Self {
            let inner = |chance: &mut Chance| Box::new(Self::random(chance, depth - 1));
            match chance.below(if depth == 0 { 1 } else { 5 }) {
                0 => Self::Compare(
                    PATHS[chance.below(PATHS.len())],
                    ["=", "!=", "<>", "<", "<=", ">", ">="][chance.below(7)],
                    CONSTANTS[chance.below(CONSTANTS.len())],
                ),
                1 => Self::Not(inner(chance)),
                2 | 3 => Self::Both("AND", inner(chance), inner(chance)),
                _ => Self::Both("OR", inner(chance), inner(chance)),
            }
        }

        fn text(&self) -> String {
            match self {
                Self::Compare(path, sign, constant) => format!("{path} {sign} {constant}"),
                Self::Not(one) => match **one {
                    Self::Both(..) => format!("not ({})", one.text()),
                    _ => format!("NOT {}", one.text()),
                },
                Self::Both(word, a, b) => {
                    // Parentheses only where the order of operators asks for them.
                    let side = |side: &Self| match side {
                        Self::Both("OR", ..) if *word == "AND" => format!("({})", side.text()),
                        _ => side.text(),
                    };
                    format!("{} {word} {}", side(a), side(b))
                }
            }
        }

        /// By the table of types and signs, on values of another library.
        fn says(&self, document: &serde_json::Value) -> Option<bool> {
            match self {
                Self::Not(one) => one.says(document).map(|bool| !bool),
                Self::Both(word, a, b) => {
                    let decisive = *word == "OR";
                    match (a.says(document), b.says(document)) {
                        (Some(bool), _) | (_, Some(bool)) if bool == decisive => Some(bool),
                        (Some(_), Some(_)) => Some(!decisive),
                        _ => None,
                    }
                }
                Self::Compare(path, sign, constant) => {
                    let pointer = format!("/{}", path.replace('.', "/"));
                    let left = document.pointer(&pointer).filter(|left| !left.is_object())?;
                    let right: serde_json::Value =
                        serde_json::from_str(&constant.replace('\'', "\"")).ok()?;
                    let order = match (left, &right) {
                        _ if left.is_number() && right.is_number() => {
                            left.as_f64().partial_cmp(&right.as_f64())
                        }
                        _ if left.is_string() && right.is_string() => {
                            left.as_str().partial_cmp(&right.as_str())
                        }
                        _ if left.is_boolean() && right.is_boolean() => {
                            left.as_bool().partial_cmp(&right.as_bool())
                        }
                        _ => None,
                    };
                    let equal = order.map_or(left.is_null() && right.is_null(), |o| o.is_eq());
                    match *sign {
                        "=" => Some(equal),
                        "!=" | "<>" => Some(!equal),
                        "<" => order.map(|order| order.is_lt()),
                        "<=" => order.map(|order| order.is_le()),
                        ">" => order.map(|order| order.is_gt()),
                        _ => order.map(|order| order.is_ge()),
                    }
                }
            }
        }
    }

    #[test]
    fn conditions_say_what_a_naive_reading_says() {
        let other = serde_json::from_str(DOCUMENT).unwrap();
        let document = json::parse(DOCUMENT.as_bytes(), 8).unwrap();
        let mut verdicts = [0; 3];
        for seed in 0..5_000 {
            let naive = Naive::random(&mut Chance::new(seed), 4);
            let text = naive.text();
            let Ok(condition) = Condition::of_documents(&text, Source::Devices) else {
                panic!("{text}")
            };
            let verdict = condition.verdict(&document);
            let expected = match naive.says(&other) {
                Some(true) => Verdict::True,
                Some(false) => Verdict::False,
                None => Verdict::Undefined,
            };
            assert_eq!(verdict, expected, "seed {seed}: {text}");
            verdicts[verdict as usize] += 1;
        }
        assert!(verdicts.iter().all(|count| *count > 500), "all of them come up: {verdicts:?}");
    }

    #[test]
    fn mutated_queries_never_panic() {
        let seeds = [
            "SELECT TOP 3 a.b AS x, tags['é'][0], COUNT() FROM devices WHERE NOT a IN [1,'x',null]",
            "SELECT * FROM devices.jobs WHERE devices.jobs.deviceId = 'd\\u00e9\\ud83d\\ude00'",
            "SELECT AVG(x.y), s FROM devices.modules WHERE -1.5e3 + 0x1F >= x % 2 GROUP BY s",
            "STARTS_WITH(LOWER($body.a[3].b), SUBSTRING([[odd]], 1, 2)) OR $twin.tags.x <> \"q\"",
            "((((a = 1)))) AND (b OR NOT - - c) AND POWER(ABS(AS_NUMBER(p)), 2) < 3",
        ];
        let document = json::parse(DOCUMENT.as_bytes(), 8).unwrap();
        let mut accepted = 0;
        for seed in 0..30_000 {
            let mut chance = Chance::new(seed);
            let mut text: Vec<char> = seeds[chance.below(seeds.len())].chars().collect();
            for _ in 0..=chance.below(3) {
                if text.is_empty() {
                    break;
                }
                let at = chance.below(text.len());
                match chance.below(5) {
                    0 => drop(text.remove(at)),
                    1 => {
                        text.insert(at, ['\'', '"', '[', ']', '(', '\\', '.', '-'][chance.below(8)])
                    }
                    2 => text[at] = char::from_u32(chance.below(0x250) as u32).unwrap_or(' '),
                    3 => text.truncate(at + 1),
                    _ => text.extend_from_within(at..),
                }
            }
            let text: String = text.into_iter().collect();
            if let Ok(query) = Query::parse(&text) {
                accepted += usize::from(query.matches(&document) || query.equalities().is_empty());
            }
            if let Ok(condition) = Condition::of_route(&text) {
                accepted += usize::from(condition.verdict(&document) != Verdict::True);
            }
        }
        assert!(accepted > 1_000, "many still make sense: {accepted}");
    }

    #[test]
    fn the_longest_and_deepest_queries_fit_a_small_stack() {
        let and = vec!["a=1"; 900].join(" AND ");
        let sum = format!("{} = 1", vec!["1"; 2_000].join("+"));
        let deep = format!("{}a=1{}", "(".repeat(50), ")".repeat(50));
        let calls = format!("{}a{}", "LOWER(".repeat(50), ")".repeat(50));
        let list = format!("a IN [{}]", vec!["7"; 4_000].join(","));
        let run = move || {
            let document = json::parse(DOCUMENT.as_bytes(), 8).unwrap();
            for (text, expected) in [
                (&and, Verdict::Undefined),
                (&sum, Verdict::False),
                (&deep, Verdict::Undefined),
                (&calls, Verdict::Undefined),
                (&list, Verdict::Undefined),
            ] {
                assert_eq!(Condition::of_route(text).unwrap().verdict(&document), expected);
            }
        };
        let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap();
        thread.join().unwrap();
    }
}
