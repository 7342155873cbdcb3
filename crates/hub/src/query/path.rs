//! Names in expressions: what they stand for in each place where the language is used. Refuses to
//! know the documents.

use super::parser::Parser;
use super::refused::Refused;
use super::statement::Source;

/// Where the language is used, which decides what names and functions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Queries and conditions of jobs.
    Documents(Source),
    /// Conditions of routes.
    Route,
}

/// A place in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// In which part of it.
    pub root: Root,
    /// From there; of properties just the one name.
    pub steps: Box<[Step]>,
}

/// What a path begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// The document of a twin or a job, whose fields have their proper case here.
    Field,
    /// The application properties of a message.
    Property,
    /// The system properties of a message, then the application properties.
    System,
    /// The JSON body of a message.
    Body,
    /// The twin of the sender of a message.
    Twin,
}

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To the value of a key.
    Key(Box<str>),
    /// To an element, from 0.
    Index(u32),
}

impl Step {
    /// The key.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Index(_) => None,
        }
    }
}

impl Path {
    /// A path alone, as a condition of a route has it.
    ///
    /// # Errors
    /// Where it stops to make sense.
    pub fn of_route(text: &str) -> Result<Self, Refused> {
        let mut parser = Parser::new(text, Scope::Route)?;
        let path = parser.path()?;
        parser.end()?;
        Ok(path)
    }

    /// The last name in it.
    pub fn last_name(&self) -> &str {
        self.steps.iter().rev().find_map(Step::key).unwrap_or("body")
    }

    /// What the names, at byte `at` of the query, stand for.
    pub(super) fn resolve(
        scope: Scope,
        steps: Vec<Step>,
        (query, at): (&str, usize),
    ) -> Result<Self, Refused> {
        let resolved = match scope {
            Scope::Documents(source) => in_documents(source, steps),
            Scope::Route => in_routes(steps),
        };
        resolved.map_err(|what| Refused::at(query, at, what))
    }
}

fn in_documents(source: Source, mut steps: Vec<Step>) -> Result<Path, &'static str> {
    // The vendor's samples write `devices.jobs.deviceId` too.
    let names = source.name().split('.').zip(&steps);
    let prefix = names.take_while(|(name, step)| is(step, name)).count();
    if prefix < steps.len() {
        steps.drain(..prefix);
    }
    let fields: &[&str] = if source == Source::Jobs { &JOB_FIELDS } else { &TWIN_FIELDS };
    in_proper_case(&mut steps, 0, fields);
    let first = steps.first().and_then(Step::key).unwrap_or_default();
    if source == Source::Jobs && TWIN_PARTS.iter().any(|part| part.eq_ignore_ascii_case(first)) {
        return Err("a query of devices.jobs sees the fields of jobs only");
    }
    if first == "properties" {
        in_proper_case(&mut steps, 1, &["desired", "reported"]);
    }
    Ok(Path { root: Root::Field, steps: steps.into() })
}

fn in_routes(mut steps: Vec<Step>) -> Result<Path, &'static str> {
    for key in steps.iter().filter_map(Step::key) {
        if key.contains(|c: char| c.is_whitespace() || NOT_IN_NAMES.contains(c)) {
            return Err(
                "a name in a route has no blank and none of ( ) < > @ , ; : \\ \" / ? = { }",
            );
        }
    }
    let Some(Step::Key(first)) = steps.first() else {
        return Err("a path begins with a name");
    };
    let first = first.clone();
    let root = match &*first {
        name if name.eq_ignore_ascii_case("$body") => Root::Body,
        name if name.eq_ignore_ascii_case("$twin") => Root::Twin,
        name if name.starts_with('$') => Root::System,
        _ => Root::Property,
    };
    match root {
        Root::Body => drop(steps.remove(0)),
        Root::Twin => {
            steps.remove(0);
            in_proper_case(&mut steps, 0, &["tags", "properties"]);
            if steps.first().is_some_and(|step| is(step, "properties")) {
                in_proper_case(&mut steps, 1, &["desired", "reported"]);
            }
            let keys = (steps.first().and_then(Step::key), steps.get(1).and_then(Step::key));
            let sections = [Some("desired"), Some("reported")];
            match keys {
                (Some("tags"), _) => {}
                (Some("properties"), section) if sections.contains(&section) => {}
                _ => return Err("after $twin comes tags or properties.desired or .reported"),
            }
        }
        _ => {
            let names: Option<Vec<&str>> = steps.iter().map(Step::key).collect();
            let Some(names) = names else { return Err("properties of messages are no arrays") };
            let name = names.join(".");
            let name = if root == Root::System { &name[1..] } else { &name };
            steps = vec![Step::Key(name.into())];
        }
    }
    Ok(Path { root, steps: steps.into() })
}

fn in_proper_case(steps: &mut [Step], at: usize, names: &[&str]) {
    if let Some(step) = steps.get_mut(at)
        && let Some(name) = names.iter().find(|name| is(step, name))
    {
        *step = Step::Key((*name).into());
    }
}

fn is(step: &Step, name: &str) -> bool {
    step.key().is_some_and(|key| key.eq_ignore_ascii_case(name))
}

const NOT_IN_NAMES: &str = "()<>@,;:\\\"/?={}";
const TWIN_PARTS: [&str; 2] = ["tags", "properties"];
const TWIN_FIELDS: [&str; 20] = [
    "deviceId",
    "moduleId",
    "etag",
    "deviceEtag",
    "status",
    "statusReason",
    "statusUpdateTime",
    "connectionState",
    "lastActivityTime",
    "cloudToDeviceMessageCount",
    "authenticationType",
    "x509Thumbprint",
    "modelId",
    "version",
    "tags",
    "properties",
    "capabilities",
    "deviceScope",
    "parentScopes",
    "configurations",
];
const JOB_FIELDS: [&str; 14] = [
    "jobId",
    "deviceId",
    "moduleId",
    "jobType",
    "type",
    "status",
    "outcome",
    "error",
    "startTimeUtc",
    "endTimeUtc",
    "createdTimeUtc",
    "createdDateTimeUtc",
    "lastUpdatedTimeUtc",
    "lastUpdatedDateTimeUtc",
];
