//! Groups of clients, chosen by a query (event-grid 5.2).
//!
//! Owns what a query means for one client. Refuses to know its spelling, which is the parser's.

use std::fmt;

use super::attributes::{ClientFacts, Value};
use super::names::{self, NameError};
use super::query_parser::{self, QueryError};

/// A client group: a name and who belongs to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    name: Box<str>,
    query: Query,
}

/// A condition on a client's name and attributes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    text: Box<str>,
    root: Condition,
}

/// The parsed form of a query. `and` and `or` hold lists, so only parentheses make it deep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Compare { operand: Operand, comparison: Comparison, literal: Literal },
    In { operand: Operand, literals: Vec<Literal> },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Operand {
    AuthenticationName,
    Attribute(Box<str>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Literal {
    Str(Box<str>),
    Long(i64),
    /// Not in Event Grid, whose attributes are never bool; ours may be.
    Bool(bool),
}

impl Group {
    /// The group that every client belongs to. It has no query and cannot be changed.
    pub const ALL: &'static str = "$all";

    /// A group of the clients that `query` matches.
    ///
    /// # Errors
    /// A name that is not 3 to 50 letters, digits or `-`.
    pub fn new(name: &str, query: Query) -> Result<Self, NameError> {
        Ok(Self { name: names::check("client group", name)?, query })
    }

    /// The group's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who belongs to it.
    pub fn query(&self) -> &Query {
        &self.query
    }
}

impl Query {
    /// Reads a query, such as `attributes.kind = "pump" and attributes.floor <= 5`.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Ok(Self { text: text.into(), root: query_parser::parse(text)? })
    }

    /// The query as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the client fulfils it. A missing attribute and a literal of another type fulfil
    /// no comparison, not even `!=`; an array fulfils `=` and `IN` when one element does, `!=`
    /// when none is equal.
    pub fn matches(&self, client: &ClientFacts<'_>) -> bool {
        self.root.holds(client)
    }
}

impl Condition {
    fn holds(&self, client: &ClientFacts<'_>) -> bool {
        match self {
            Self::Any(all) => all.iter().any(|c| c.holds(client)),
            Self::All(all) => all.iter().all(|c| c.holds(client)),
            Self::Compare { operand, comparison, literal } => {
                operand.test(client, |found| compare(found, *comparison, literal))
            }
            Self::In { operand, literals } => operand.test(client, |found| {
                literals.iter().any(|literal| compare(found, Comparison::Equal, literal))
            }),
        }
    }
}

/// What an operand stands for.
#[derive(Clone, Copy)]
enum Found<'a> {
    Str(&'a str),
    Long(i64),
    Bool(bool),
    List(&'a [Box<str>]),
}

impl Operand {
    fn test(&self, client: &ClientFacts<'_>, holds: impl FnOnce(Found<'_>) -> bool) -> bool {
        let key = match self {
            Self::AuthenticationName => return holds(Found::Str(client.name)),
            Self::Attribute(key) => key,
        };
        match client.attributes.get(key) {
            None => false,
            Some(Value::Str(text)) => holds(Found::Str(text)),
            Some(Value::Int(number)) => holds(Found::Long(*number)),
            Some(Value::Bool(truth)) => holds(Found::Bool(*truth)),
            Some(Value::List(all)) => holds(Found::List(all)),
        }
    }
}

fn compare(found: Found<'_>, comparison: Comparison, literal: &Literal) -> bool {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    match (found, literal, comparison) {
        (Found::Long(ours), Literal::Long(theirs), _) => match comparison {
            Equal => ours == *theirs,
            NotEqual => ours != *theirs,
            Less => ours < *theirs,
            Greater => ours > *theirs,
            LessOrEqual => ours <= *theirs,
            GreaterOrEqual => ours >= *theirs,
        },
        (Found::Str(ours), Literal::Str(theirs), Equal) => *ours == **theirs,
        (Found::Str(ours), Literal::Str(theirs), NotEqual) => *ours != **theirs,
        (Found::Bool(ours), Literal::Bool(theirs), Equal) => ours == *theirs,
        (Found::Bool(ours), Literal::Bool(theirs), NotEqual) => ours != *theirs,
        (Found::List(all), Literal::Str(theirs), Equal) => all.contains(theirs),
        (Found::List(all), Literal::Str(theirs), NotEqual) => !all.contains(theirs),
        _ => false,
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Attributes;

    fn attributes() -> Attributes {
        let mut all = Attributes::default();
        let list = vec!["temp".into(), "hum".into()];
        for (key, value) in [
            ("kind", Value::Str("pump".into())),
            ("floor", Value::Int(5)),
            ("on", Value::Bool(true)),
            ("sensors", Value::List(list)),
        ] {
            all.insert(key, value).unwrap();
        }
        all
    }

    #[test]
    fn query_rows() {
        let attributes = attributes();
        let client = ClientFacts { name: "c1", attributes: &attributes };
        for (query, expected) in [
            ("attributes.kind = \"pump\" and attributes.floor <= 5", true),
            (
                "(attributes.kind = 'x' or attributes.kind = 'pump') and attributes.floor IN [1,5]",
                true,
            ),
            ("authenticationName IN ['c1','c2']", true),
            ("authenticationName in ['C1']", false),
            ("authenticationName <> 'c2' AND authenticationName != 'c3'", true),
            ("attributes.kind <> 'pump'", false),
            ("attributes.kind='valve'", false),
            ("attributes.kind = 'PUMP'", false),
            ("attributes.Kind = 'pump'", false),
            ("attributes.floor = 5", true),
            ("attributes.floor != 5", false),
            ("attributes.floor < 5", false),
            ("attributes.floor > 4", true),
            ("attributes.floor >= 6", false),
            ("attributes.floor > -1", true),
            ("attributes.floor = '5'", false),
            ("attributes.floor != '5'", false),
            ("attributes.kind > 3", false),
            ("authenticationName = 1", false),
            ("attributes.sensors = 'hum'", true),
            ("attributes.sensors = 'co2'", false),
            ("attributes.sensors != 'co2'", true),
            ("attributes.sensors <> 'hum'", false),
            ("attributes.sensors IN ['co2', 'temp']", true),
            ("attributes.sensors != 1", false),
            ("attributes.missing = 'x'", false),
            ("attributes.missing != 'x'", false),
            ("attributes.on = true", true),
            ("attributes.on != TRUE", false),
            ("attributes.on = 'true'", false),
            // `and` binds tighter than `or`.
            ("attributes.floor = 5 or attributes.floor = 6 and attributes.kind = 'x'", true),
            ("(attributes.floor = 5 or attributes.floor = 6) and attributes.kind = 'x'", false),
            ("((authenticationName='c1'))", true),
        ] {
            let parsed = Query::parse(query).unwrap_or_else(|e| panic!("{query}: {e}"));
            assert_eq!(parsed.matches(&client), expected, "{query}");
            assert_eq!(parsed.to_string(), query);
        }
    }

    #[test]
    fn the_built_in_group_cannot_be_made() {
        let query = Query::parse("authenticationName = 'x'").unwrap();
        assert!(Group::new(Group::ALL, query).is_err());
    }
}
