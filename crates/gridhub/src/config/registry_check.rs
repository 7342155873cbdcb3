//! Mistakes in the registry part of the configuration: names, references, queries, templates
//! (event-grid 4.2, 5, 12). What they permit is decided by `broker::access`.

use std::collections::HashSet;

use broker::access::{Attributes, Query, Template};

use super::Config;
use super::check::{is_resource_name, suggestion};
use super::mistake::Mistake;
use super::registry::{AttributeValue, ClientEntry, ValidationScheme};
use crate::auth::certificate::normal_thumbprint;

/// Checks clients, groups, topic spaces and bindings.
pub fn check(config: &Config, mistakes: &mut Vec<Mistake>) {
    clients(&config.clients, mistakes);
    groups(config, mistakes);
    topic_spaces(config, mistakes);
    bindings(config, mistakes);
}

/// The attributes of a client as `broker::access` takes them.
///
/// # Errors
/// The first that it refuses, with what is wrong.
pub fn attributes(client: &ClientEntry) -> Result<Attributes, (String, String)> {
    use broker::access::Value;
    let mut attributes = Attributes::default();
    for (key, value) in &client.properties.attributes {
        let value = match value {
            AttributeValue::Text(text) => Value::Str(text.as_str().into()),
            AttributeValue::Integer(number) => Value::Int(*number),
            AttributeValue::Boolean(truth) => Value::Bool(*truth),
            AttributeValue::List(texts) => {
                Value::List(texts.iter().map(|text| text.as_str().into()).collect())
            }
        };
        attributes.insert(key, value).map_err(|error| (key.clone(), error.to_string()))?;
    }
    Ok(attributes)
}

fn clients(clients: &[ClientEntry], mistakes: &mut Vec<Mistake>) {
    let (mut names, mut authentication_names) = (HashSet::new(), HashSet::new());
    for (at, client) in clients.iter().enumerate() {
        let path = format!("clients[{at}]");
        let mut refuse = |key: &str, message: String| {
            mistakes.push(Mistake::new(format!("{path}.{key}"), message));
        };
        let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b':' | b'.' | b'_');
        let name = &client.name;
        if !(1..=128).contains(&name.len()) || !name.bytes().all(letters) {
            refuse("name", format!("'{name}' must be 1 to 128 letters, digits or '-:._'"));
        }
        if !names.insert(name) {
            refuse("name", format!("'{name}' is listed twice"));
        }
        let authentication_name = client.authentication_name();
        if !(1..=128).contains(&authentication_name.chars().count()) {
            refuse("properties.authenticationName", "must be 1 to 128 characters".into());
        }
        if !authentication_names.insert(authentication_name.to_lowercase()) {
            let message =
                format!("'{authentication_name}' is another client's too (case does not count)");
            refuse("properties.authenticationName", message);
        }
        if let Err((key, why)) = attributes(client) {
            refuse(&format!("properties.attributes.{key}"), why);
        }
        thumbprints(client, &mut refuse);
    }
}

fn thumbprints(client: &ClientEntry, refuse: &mut impl FnMut(&str, String)) {
    const KEY: &str = "properties.clientCertificateAuthentication.allowedThumbprints";
    let proof = &client.properties.client_certificate_authentication;
    let count = proof.allowed_thumbprints.len();
    if proof.validation_scheme == ValidationScheme::ThumbprintMatch {
        if !(1..=2).contains(&count) {
            refuse(KEY, "ThumbprintMatch needs one or two thumbprints".into());
        }
    } else if count > 0 {
        refuse(KEY, "only allowed with validationScheme = \"ThumbprintMatch\"".into());
    }
    for (at, print) in proof.allowed_thumbprints.iter().enumerate() {
        if normal_thumbprint(print).is_none() {
            let message = format!("'{print}' is neither SHA-256 nor SHA-1 in hex");
            refuse(&format!("{KEY}[{at}]"), message);
        }
    }
}

fn groups(config: &Config, mistakes: &mut Vec<Mistake>) {
    let mut names = HashSet::new();
    for (at, group) in config.client_groups.iter().enumerate() {
        let path = format!("clientGroups[{at}]");
        resource_name(&path, &group.name, &mut names, mistakes);
        if let Err(error) = Query::parse(&group.properties.query) {
            let path = format!("{path}.properties.query");
            mistakes.push(Mistake::new(path, error.to_string()));
        }
    }
}

fn topic_spaces(config: &Config, mistakes: &mut Vec<Mistake>) {
    let mut names = HashSet::new();
    for (at, space) in config.topic_spaces.iter().enumerate() {
        let path = format!("topicSpaces[{at}]");
        resource_name(&path, &space.name, &mut names, mistakes);
        let templates = &space.properties.topic_templates;
        if templates.is_empty() {
            let path = format!("{path}.properties.topicTemplates");
            mistakes.push(Mistake::new(path, "must have at least one template"));
        }
        for (number, template) in templates.iter().enumerate() {
            if let Err(error) = Template::parse(template) {
                let path = format!("{path}.properties.topicTemplates[{number}]");
                mistakes.push(Mistake::new(path, format!("'{template}': {error}")));
            }
        }
    }
}

fn bindings(config: &Config, mistakes: &mut Vec<Mistake>) {
    let mut groups: Vec<&str> = config.client_groups.iter().map(|g| g.name.as_str()).collect();
    groups.push(ALL_CLIENTS);
    let spaces: Vec<&str> = config.topic_spaces.iter().map(|s| s.name.as_str()).collect();
    let mut names = HashSet::new();
    for (at, binding) in config.permission_bindings.iter().enumerate() {
        let path = format!("permissionBindings[{at}]");
        resource_name(&path, &binding.name, &mut names, mistakes);
        let properties = &binding.properties;
        for (key, kind, name, known) in [
            ("clientGroupName", "client group", &properties.client_group_name, &groups),
            ("topicSpaceName", "topic space", &properties.topic_space_name, &spaces),
        ] {
            if !known.contains(&name.as_str()) {
                let message = format!("there is no {kind} '{name}'{}", suggestion(name, known));
                mistakes.push(Mistake::new(format!("{path}.properties.{key}"), message));
            }
        }
    }
}

fn resource_name<'a>(
    path: &str,
    name: &'a str,
    names: &mut HashSet<&'a str>,
    mistakes: &mut Vec<Mistake>,
) {
    let path = format!("{path}.name");
    if !is_resource_name(name) {
        let message = format!("'{name}' must be 3 to 50 letters, digits or '-'");
        mistakes.push(Mistake::new(&path, message));
    }
    if !names.insert(name) {
        mistakes.push(Mistake::new(path, format!("'{name}' is listed twice")));
    }
}

/// The group every client is in (event-grid 5.1).
const ALL_CLIENTS: &str = "$all";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_references_and_expressions() {
        let text = r#"
            [[clients]]
            name = "pump 1"
            [[clients]]
            name = "p2"
            properties = { authenticationName = "Same", attributes = { "a-b" = 1 } }
            [[clients]]
            name = "p3"
            properties.authenticationName = "sAME"
            properties.clientCertificateAuthentication.allowedThumbprints = ["zz"]
            [[clientGroups]]
            name = "pumps"
            properties.query = "attributes.kind ="
            [[topicSpaces]]
            name = "plant"
            properties.topicTemplates = ["a/#/b"]
            [[permissionBindings]]
            name = "bind-1"
            properties.clientGroupName = "pump"
            properties.topicSpaceName = "x"
            properties.permission = "Publisher"
            [[permissionBindings]]
            name = "bind-1"
            properties.clientGroupName = "$all"
            properties.topicSpaceName = "plant"
            properties.permission = "Subscriber"
        "#;
        let config: Config = toml::from_str(text).expect("readable");
        let mut mistakes = Vec::new();
        check(&config, &mut mistakes);
        let paths: Vec<&str> = mistakes.iter().map(|mistake| mistake.path.as_str()).collect();
        let proof = "clients[2].properties.clientCertificateAuthentication.allowedThumbprints";
        let want = [
            "clients[0].name",
            "clients[1].properties.attributes.a-b",
            "clients[2].properties.authenticationName",
            proof,
            &format!("{proof}[0]"),
            "clientGroups[0].properties.query",
            "topicSpaces[0].properties.topicTemplates[0]",
            "permissionBindings[0].properties.clientGroupName",
            "permissionBindings[0].properties.topicSpaceName",
            "permissionBindings[1].name",
        ];
        assert_eq!(paths, want);
        assert!(mistakes[7].message.contains("did you mean 'pumps'"), "{mistakes:?}");
    }
}
