//! Topic templates: filters with variables (event-grid 5.3).
//!
//! Owns the variables and what they become for one client. Refuses to know who is bound to them.

use std::fmt;

use mqtt::topic::{TopicError, TopicFilter};

use super::attributes::{ClientFacts, Value, is_key};

/// A topic filter in which `${client.authenticationName}` and `${client.attributes.key}` stand
/// for a part of one level, with an optional suffix behind a bar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template {
    text: Box<str>,
    pieces: Vec<Piece>,
}

/// What is wrong with a template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TemplateError {
    /// It is no topic filter, whatever the variables become.
    Filter(TopicError),
    /// A `${` without `}` in the same level.
    Unclosed {
        /// Byte offset of the `${`.
        at: usize,
    },
    /// A variable that does not exist.
    UnknownVariable {
        /// Byte offset of the `${`.
        at: usize,
        /// The variable without its brackets.
        variable: Box<str>,
    },
    /// A suffix that is not a literal within one level.
    Suffix {
        /// Byte offset of the `${`.
        at: usize,
        /// The suffix.
        suffix: Box<str>,
    },
    /// It begins with `$share/` or `$queue/`, which are forms of subscribing, not topics.
    Shared,
}

/// A template that becomes more than [`Template::FILTERS_MAX`] filters for one client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TooManyFilters {
    /// The template.
    pub template: Box<str>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Literal(Box<str>),
    Variable(Variable),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Variable {
    Name,
    Attribute(Box<str>),
}

impl Template {
    /// Filters that one template may become for one client, by array attributes.
    pub const FILTERS_MAX: usize = 1024;

    /// Reads a template, such as `machines/${client.authenticationName|.factory1}/#`.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut at = 0;
        // What a client would see with every variable replaced by one harmless letter.
        let mut sample = String::new();
        while let Some(found) = text[at..].find(OPEN) {
            push_literal(&mut pieces, &mut sample, &text[at..at + found]);
            let start = at + found;
            let inside = &text[start + OPEN.len()..];
            let end = inside.find(['}', '/']).filter(|end| inside.as_bytes()[*end] == b'}');
            let end = end.ok_or(TemplateError::Unclosed { at: start })?;
            let (variable, suffix) = read_variable(&inside[..end], start)?;
            pieces.push(Piece::Variable(variable));
            sample.push('v');
            push_literal(&mut pieces, &mut sample, suffix);
            at = start + OPEN.len() + end + 1;
        }
        push_literal(&mut pieces, &mut sample, &text[at..]);
        TopicFilter::parse(&sample).map_err(TemplateError::Filter)?;
        if ["$share/", "$queue/"].iter().any(|form| sample.starts_with(form)) {
            return Err(TemplateError::Shared);
        }
        Ok(Self { text: text.into(), pieces })
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The filters the template becomes for a client: one; none when an attribute is missing or
    /// a value contains `/`, `+` or `#`; several when an attribute is an array. All of them are
    /// valid topic filters.
    ///
    /// # Errors
    /// More than [`Template::FILTERS_MAX`]; the template then permits nothing.
    pub fn expand(&self, client: &ClientFacts<'_>) -> Result<Vec<String>, TooManyFilters> {
        let mut variables: Vec<(&Variable, Vec<String>)> = Vec::new();
        let mut count = 1usize;
        for piece in &self.pieces {
            let Piece::Variable(variable) = piece else { continue };
            if variables.iter().any(|(known, _)| *known == variable) {
                continue;
            }
            let mut values = variable.values(client);
            values.retain(|value| !value.contains(['/', '+', '#', '\0']));
            count = count.saturating_mul(values.len());
            variables.push((variable, values));
        }
        if count > Self::FILTERS_MAX {
            return Err(TooManyFilters { template: self.text.clone() });
        }
        let all = (0..count).map(|choice| self.with(&variables, choice));
        Ok(all.filter(|filter| TopicFilter::parse(filter).is_ok()).collect())
    }

    /// The filter of one choice of values; the choices are numbered with the first variable as
    /// the lowest digit. The same variable twice is the same value twice.
    fn with(&self, variables: &[(&Variable, Vec<String>)], choice: usize) -> String {
        let value_of = |wanted: &Variable| {
            let mut left = choice;
            for (variable, values) in variables {
                if *variable == wanted {
                    return values[left % values.len()].as_str();
                }
                left /= values.len();
            }
            ""
        };
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Literal(text) => text,
            Piece::Variable(variable) => value_of(variable),
        });
        pieces.collect()
    }
}

impl Variable {
    fn values(&self, client: &ClientFacts<'_>) -> Vec<String> {
        let key = match self {
            Self::Name => return vec![client.name.to_owned()],
            Self::Attribute(key) => key,
        };
        match client.attributes.get(key) {
            None => Vec::new(),
            Some(Value::Str(text)) => vec![text.to_string()],
            Some(Value::Int(number)) => vec![number.to_string()],
            Some(Value::Bool(truth)) => vec![truth.to_string()],
            Some(Value::List(all)) => all.iter().map(ToString::to_string).collect(),
        }
    }
}

/// `${` with `}` was found at `at`: what is between them.
fn read_variable(inside: &str, at: usize) -> Result<(Variable, &str), TemplateError> {
    let (name, suffix) = inside.split_once('|').unwrap_or((inside, ""));
    let attribute = ATTRIBUTE_PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix));
    let variable = match attribute {
        Some(key) if is_key(key) => Variable::Attribute(key.into()),
        None if NAMES.contains(&name) => Variable::Name,
        _ => return Err(TemplateError::UnknownVariable { at, variable: name.into() }),
    };
    if suffix.contains(['+', '#', '|', '{']) {
        return Err(TemplateError::Suffix { at, suffix: suffix.into() });
    }
    Ok((variable, suffix))
}

fn push_literal(pieces: &mut Vec<Piece>, sample: &mut String, text: &str) {
    sample.push_str(text);
    if !text.is_empty() {
        pieces.push(Piece::Literal(text.into()));
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(error) => write!(f, "not a topic filter: {error}"),
            Self::Unclosed { at } => {
                write!(f, "at character {}: '${{' has no '}}' in the same level", at + 1)
            }
            Self::UnknownVariable { at, variable } => write!(
                f,
                "at character {}: there is no variable '{variable}'; use \
                 ${{client.authenticationName}} or ${{client.attributes.<key>}}",
                at + 1
            ),
            Self::Suffix { at, suffix } => write!(
                f,
                "at character {}: the suffix '{suffix}' must be plain text within one level",
                at + 1
            ),
            Self::Shared => write!(
                f,
                "a template describes topics; leave out '$share/<name>/' or '$queue/', which any \
                 subscriber may put before them"
            ),
        }
    }
}

impl fmt::Display for TooManyFilters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "template '{}' becomes more than {} filters for this client; shorten its array \
             attributes",
            self.template,
            Template::FILTERS_MAX
        )
    }
}

impl std::error::Error for TemplateError {}
impl std::error::Error for TooManyFilters {}

const OPEN: &str = "${";

/// The second spelling is older; ARM texts still show it.
const NAMES: [&str; 2] = ["client.authenticationName", "principal.name"];
const ATTRIBUTE_PREFIXES: [&str; 2] = ["client.attributes.", "principal.attributes."];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Attributes;

    fn expand(template: &str, name: &str) -> Vec<String> {
        let mut attributes = Attributes::default();
        let list = |texts: &[&str]| Value::List(texts.iter().map(|t| Box::from(*t)).collect());
        for (key, value) in [
            ("x", Value::Str("f1".into())),
            ("n", Value::Int(-7)),
            ("b", Value::Bool(true)),
            ("empty", Value::Str("".into())),
            ("slash", Value::Str("a/b".into())),
            ("plus", Value::Str("+".into())),
            ("hash", Value::Str("#".into())),
            ("list", list(&["p", "q/", "r"])),
            ("other", list(&["1", "2"])),
            ("nobody", list(&[])),
        ] {
            attributes.insert(key, value).unwrap();
        }
        let template = Template::parse(template).unwrap_or_else(|e| panic!("{template}: {e}"));
        template.expand(&ClientFacts { name, attributes: &attributes }).unwrap()
    }

    #[test]
    fn expansion_rows() {
        let rows: &[(&str, &str, &[&str])] = &[
            ("a/+/#", "m", &["a/+/#"]),
            ("m/${client.authenticationName}/#", "Machine1", &["m/Machine1/#"]),
            ("${client.authenticationName}", "m", &["m"]),
            ("m/${client.authenticationName|.factory1}", "machine1", &["m/machine1.factory1"]),
            ("m/pre-${client.attributes.x}-post/t", "m", &["m/pre-f1-post/t"]),
            ("m/${client.attributes.x|-s}${client.attributes.n}", "m", &["m/f1-s-7"]),
            ("m/${client.attributes.b}", "m", &["m/true"]),
            ("m/${client.attributes.missing}/#", "m", &[]),
            ("m/${client.attributes.X}/#", "m", &[]),
            ("m/${client.attributes.empty}/t", "m", &["m//t"]),
            ("${client.attributes.empty}", "m", &[]),
            ("m/${client.attributes.slash}", "m", &[]),
            ("m/${client.attributes.plus}", "m", &[]),
            ("m/${client.attributes.hash}", "m", &[]),
            ("m/${client.authenticationName}", "#", &[]),
            ("m/${client.authenticationName}", "a/b", &[]),
            ("m/${client.authenticationName}", "a\0b", &[]),
            ("m/${client.attributes.list}", "m", &["m/p", "m/r"]),
            ("m/${client.attributes.nobody}", "m", &[]),
            (
                "${client.attributes.list}/${client.attributes.other}/${client.attributes.list}",
                "m",
                &["p/1/p", "r/1/r", "p/2/p", "r/2/r"],
            ),
            ("m/${principal.name}/${principal.attributes.x}", "m", &["m/m/f1"]),
            ("$mine/$/a$", "m", &["$mine/$/a$"]),
        ];
        for (template, name, expected) in rows {
            assert_eq!(expand(template, name), *expected, "{template} for {name}");
        }
    }

    #[test]
    fn error_rows() {
        for (template, words) in [
            ("", "not a topic filter"),
            ("a/#/b", "not a topic filter"),
            ("a+/b", "not a topic filter"),
            ("+${client.authenticationName}", "not a topic filter"),
            ("a/${client.authenticationName}#", "not a topic filter"),
            ("a/${client.authenticationName", "at character 3: '${' has no '}'"),
            ("a/${client/x}", "has no '}' in the same level"),
            ("a/${client.name}", "there is no variable 'client.name'"),
            ("a/${client.attributes.}", "there is no variable"),
            ("a/${client.attributes.a-b}", "there is no variable"),
            ("a/${}", "there is no variable ''"),
            ("a/${client.authenticationName|+}", "the suffix '+'"),
            ("a/${client.authenticationName|a|b}", "the suffix 'a|b'"),
            ("$share/g/a", "describes topics"),
            ("$queue/a", "describes topics"),
        ] {
            let error = Template::parse(template).unwrap_err().to_string();
            assert!(error.contains(words), "{template}: {error}");
        }
    }

    #[test]
    fn large_products_are_refused() {
        let mut attributes = Attributes::default();
        let many = || Value::List((0..40).map(|n| n.to_string().into()).collect());
        attributes.insert("a", many()).unwrap();
        attributes.insert("b", many()).unwrap();
        let facts = ClientFacts { name: "m", attributes: &attributes };
        let one = Template::parse("${client.attributes.a}").unwrap();
        assert_eq!(one.expand(&facts).unwrap().len(), 40);
        let both = Template::parse("${client.attributes.a}/${client.attributes.b}").unwrap();
        assert!(both.expand(&facts).unwrap_err().to_string().contains("1024 filters"));
    }
}
