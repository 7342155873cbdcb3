//! Topic spaces: named sets of templates (event-grid 5.1).
//!
//! Owns the set. Refuses to know who is bound to it.

use std::fmt;

use super::names::{self, NameError};
use super::template::{Template, TemplateError};

/// A named set of topic templates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicSpace {
    name: Box<str>,
    templates: Vec<Template>,
}

/// What is wrong with a topic space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TopicSpaceError {
    /// Its name.
    Name(NameError),
    /// One of its templates.
    Template {
        /// The topic space.
        topic_space: Box<str>,
        /// The template as it was written.
        template: Box<str>,
        /// What is wrong with it.
        error: TemplateError,
    },
}

impl TopicSpace {
    /// Reads a topic space.
    ///
    /// # Errors
    /// A name that is not 3 to 50 letters, digits or `-`; the first template that is none.
    pub fn parse<'t>(
        name: &str,
        templates: impl IntoIterator<Item = &'t str>,
    ) -> Result<Self, TopicSpaceError> {
        let name = names::check("topic space", name).map_err(TopicSpaceError::Name)?;
        let read = |text: &str| {
            Template::parse(text).map_err(|error| TopicSpaceError::Template {
                topic_space: name.clone(),
                template: text.into(),
                error,
            })
        };
        let templates = templates.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { name, templates })
    }

    /// The topic space's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its templates.
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }
}

impl fmt::Display for TopicSpaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::Template { topic_space, template, error } => {
                write!(f, "topic space '{topic_space}', template '{template}': {error}")
            }
        }
    }
}

impl std::error::Error for TopicSpaceError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_space_and_template() {
        let error = TopicSpace::parse("pumps", ["a/#", "a/#/b"]).unwrap_err().to_string();
        assert!(error.contains("'pumps'") && error.contains("'a/#/b'"), "{error}");
        let error = TopicSpace::parse("p", ["a/#"]).unwrap_err().to_string();
        assert!(error.contains("topic space name 'p'"), "{error}");
        assert_eq!(TopicSpace::parse("all", ["#"]).unwrap().templates().len(), 1);
    }
}
