//! The spelling of group queries (event-grid 5.2).
//!
//! Owns the grammar, as recursive descent with a bound on nesting:
//!
//! ```text
//! or      := and ( "or" and )*
//! and     := unit ( "and" unit )*
//! unit    := "(" or ")" | operand cmp literal | operand "IN" "[" literal ( "," literal )* "]"
//! operand := "authenticationName" | "attributes." key
//! cmp     := "=" | "<>" | "!=" | "<" | ">" | "<=" | ">="
//! literal := 'text' | "text" | long | true | false
//! ```
//!
//! Keywords in any case. Refuses to know clients.

use std::fmt;

use super::attributes::is_key;
use super::group::{Comparison, Condition, Literal, Operand};

/// What is wrong with a query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueryError {
    /// Byte offset in the query.
    pub at: usize,
    /// What was expected there, or why what is there cannot be.
    pub what: String,
}

/// Reads a whole query.
pub(super) fn parse(text: &str) -> Result<Condition, QueryError> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    if text.len() > QUERY_BYTES_MAX {
        return parser.fail(format!("a query may have {QUERY_BYTES_MAX} bytes"));
    }
    let root = parser.or()?;
    parser.skip_space();
    if parser.at < text.len() {
        return parser.expected("'and', 'or' or the end");
    }
    Ok(root)
}

struct Parser<'q> {
    text: &'q str,
    at: usize,
    depth: usize,
}

impl<'q> Parser<'q> {
    fn or(&mut self) -> Result<Condition, QueryError> {
        let mut any = vec![self.and()?];
        while self.keyword("or") {
            any.push(self.and()?);
        }
        Ok(one_or(any, Condition::Any))
    }

    fn and(&mut self) -> Result<Condition, QueryError> {
        let mut all = vec![self.unit()?];
        while self.keyword("and") {
            all.push(self.unit()?);
        }
        Ok(one_or(all, Condition::All))
    }

    fn unit(&mut self) -> Result<Condition, QueryError> {
        if !self.symbol("(") {
            return self.predicate();
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fail(format!("parentheses may be nested {DEPTH_MAX} deep"));
        }
        let inner = self.or()?;
        if !self.symbol(")") {
            return self.expected("'and', 'or' or ')'");
        }
        self.depth -= 1;
        Ok(inner)
    }

    fn predicate(&mut self) -> Result<Condition, QueryError> {
        let operand = self.operand()?;
        if self.keyword("in") {
            return Ok(Condition::In { operand, literals: self.list()? });
        }
        let found = COMPARISONS.iter().find(|(symbol, _)| self.symbol(symbol));
        let Some((symbol, comparison)) = found else {
            return self.expected("one of = <> != < > <= >= IN");
        };
        let ordering = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        self.skip_space();
        let before = self.at;
        let literal = self.literal()?;
        if ordering && !matches!(literal, Literal::Long(_)) {
            self.at = before;
            return self.fail(format!("'{symbol}' compares whole numbers only"));
        }
        Ok(Condition::Compare { operand, comparison: *comparison, literal })
    }

    fn operand(&mut self) -> Result<Operand, QueryError> {
        self.skip_space();
        let rest = self.rest();
        let is_operand = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
        let word = &rest[..rest.bytes().take_while(|b| is_operand(*b)).count()];
        let operand = match word.strip_prefix("attributes.") {
            Some(key) if is_key(key) => Operand::Attribute(key.into()),
            None if word == "authenticationName" => Operand::AuthenticationName,
            _ => return self.expected("authenticationName, attributes.<key> or '('"),
        };
        self.at += word.len();
        Ok(operand)
    }

    fn list(&mut self) -> Result<Vec<Literal>, QueryError> {
        if !self.symbol("[") {
            return self.expected("'['");
        }
        let mut literals = vec![self.literal()?];
        while self.symbol(",") {
            literals.push(self.literal()?);
        }
        if !self.symbol("]") {
            return self.expected("',' or ']'");
        }
        Ok(literals)
    }

    fn literal(&mut self) -> Result<Literal, QueryError> {
        self.skip_space();
        let rest = self.rest();
        match rest.bytes().next() {
            Some(quote @ (b'\'' | b'"')) => {
                let Some(end) = rest[1..].find(char::from(quote)) else {
                    return self.fail(format!("this text has no closing {}", char::from(quote)));
                };
                self.at += end + 2;
                Ok(Literal::Str(rest[1..=end].into()))
            }
            Some(b'-' | b'0'..=b'9') => self.long(rest),
            _ if self.keyword("true") => Ok(Literal::Bool(true)),
            _ if self.keyword("false") => Ok(Literal::Bool(false)),
            _ => self.expected("a text in quotes or a whole number"),
        }
    }

    fn long(&mut self, rest: &str) -> Result<Literal, QueryError> {
        let part_of_number = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        let digits = &rest[..rest.bytes().take_while(|b| part_of_number(*b)).count()];
        let Ok(number) = digits.parse::<i64>() else {
            return self.fail(format!("'{digits}' is not a whole number of 64 bits"));
        };
        self.at += digits.len();
        Ok(Literal::Long(number))
    }

    /// Takes `word` if it comes next, in any case, as a whole word.
    fn keyword(&mut self, word: &str) -> bool {
        self.skip_space();
        let rest = self.rest().as_bytes();
        let is_next = rest.len() >= word.len()
            && rest[..word.len()].eq_ignore_ascii_case(word.as_bytes())
            && !rest.get(word.len()).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        self.skip_space();
        let is_next = self.rest().starts_with(symbol);
        if is_next {
            self.at += symbol.len();
        }
        is_next
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn rest(&self) -> &'q str {
        &self.text[self.at..]
    }

    fn expected<T>(&self, what: &str) -> Result<T, QueryError> {
        let found = match self.rest().split_whitespace().next() {
            Some(word) => format!("'{}'", &word[..word.floor_char_boundary(SHOWN_BYTES_MAX)]),
            None => "the end".to_owned(),
        };
        self.fail(format!("expected {what}, found {found}"))
    }

    fn fail<T>(&self, what: String) -> Result<T, QueryError> {
        Err(QueryError { at: self.at, what })
    }
}

fn one_or(mut all: Vec<Condition>, many: impl FnOnce(Vec<Condition>) -> Condition) -> Condition {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        Some(last) => {
            all.push(last);
            many(all)
        }
        None => many(all),
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.at + 1, self.what)
    }
}

impl std::error::Error for QueryError {}

/// Longer symbols first: `<` begins three of them.
const COMPARISONS: [(&str, Comparison); 7] = [
    ("<>", Comparison::NotEqual),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("=", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

/// Parentheses in each other; bounds the stack.
const DEPTH_MAX: usize = 32;

/// Bytes of a query: bounds the work of a CONNECT.
const QUERY_BYTES_MAX: usize = 16 * 1024;

/// How much of an unexpected word an error repeats.
const SHOWN_BYTES_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_where_and_what() {
        for (query, at, words) in [
            ("", 0, "found the end"),
            ("kind = 'x'", 0, "expected authenticationName, attributes.<key> or '(', found 'kind'"),
            ("attributes. = 'x'", 0, "attributes.<key>"),
            ("attributes.a.b = 'x'", 0, "attributes.<key>"),
            ("AuthenticationName = 'x'", 0, "authenticationName"),
            ("attributes.a", 12, "one of = <> != < > <= >= IN"),
            ("attributes.a LIKE 'x'", 13, "found 'LIKE'"),
            ("NOT attributes.a = 'x'", 0, "found 'NOT'"),
            ("attributes.a = x", 15, "a text in quotes or a whole number, found 'x'"),
            ("attributes.a = 'x", 15, "no closing '"),
            ("attributes.a = \"x'", 15, "no closing \""),
            ("attributes.a < 'x'", 15, "'<' compares whole numbers only"),
            ("attributes.a >= true", 16, "'>=' compares whole numbers only"),
            ("attributes.a = 1.5", 15, "'1.5' is not a whole number"),
            ("attributes.a = 9223372036854775808", 15, "64 bits"),
            ("attributes.a = -", 15, "'-' is not"),
            ("attributes.a IN 'x'", 16, "expected '['"),
            ("attributes.a IN []", 17, "a text in quotes"),
            ("attributes.a IN ['x' 'y']", 21, "',' or ']'"),
            ("(attributes.a = 1", 17, "')', found the end"),
            ("attributes.a = 1)", 16, "'and', 'or' or the end, found ')'"),
            ("attributes.a = 1 xor attributes.a = 2", 17, "found 'xor'"),
            ("attributes.a = 1 and", 20, "found the end"),
            ("attributes.a = 1 orattributes.b = 2", 17, "'and', 'or' or the end"),
        ] {
            let error = parse(query).unwrap_err();
            assert_eq!(error.at, at, "{query}: {error}");
            assert!(error.what.contains(words), "{query}: {error}");
        }
    }

    #[test]
    fn nesting_and_length_are_bounded() {
        let nested = |n: usize| format!("{}attributes.a = 1{}", "(".repeat(n), ")".repeat(n));
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        assert!(parse(&nested(DEPTH_MAX + 1)).unwrap_err().what.contains("32 deep"));
        assert!(parse(&"(".repeat(QUERY_BYTES_MAX)).is_err());
        let wide = vec!["attributes.a = 1"; 800].join(" or ");
        assert!(parse(&wide).is_ok());
        assert!(parse(&vec!["attributes.a = 1"; 1000].join(" or ")).is_err());
    }

    #[test]
    fn no_prefix_or_mutation_panics() {
        let query =
            "(attributes.kä = 'é' or attributes.z IN [1, 'x']) and authenticationName<>\"q\"";
        for (at, _) in query.char_indices() {
            let _ = parse(&query[..at]);
            let _ = parse(&query[at..]);
            for c in ['(', ')', '\'', '"', 'é', '-', '[', '.'] {
                let _ = parse(&format!("{}{c}{}", &query[..at], &query[at..]));
            }
        }
    }
}
