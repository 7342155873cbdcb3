//! The registry part of the configuration in ARM's member names (event-grid 12): an array of
//! `{name, properties}` a kind, so that exported JSON can be carried over member by member.
//! Knows the shapes only; what they permit is decided by `broker::access`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A registered client.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientEntry {
    /// Resource name: 1 to 128 letters, digits or `-:._`.
    pub name: String,
    /// The rest.
    #[serde(default)]
    pub properties: ClientProperties,
}

/// `clients[].properties` (event-grid 4.2).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct ClientProperties {
    /// Defaults to the resource name; unique without regard to case.
    pub authentication_name: Option<String>,
    /// A disabled client cannot connect.
    pub state: ClientState,
    /// How its certificate proves the name.
    pub client_certificate_authentication: CertificateAuthentication,
    /// Values for group queries and topic templates.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// Free text.
    pub description: Option<String>,
    /// Read-only in ARM; accepted from exports and not used.
    pub provisioning_state: Option<String>,
}

/// `clients[].properties.state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientState {
    /// May connect.
    #[default]
    Enabled,
    /// May not.
    Disabled,
}

/// `clients[].properties.clientCertificateAuthentication`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct CertificateAuthentication {
    /// The certificate field compared.
    pub validation_scheme: ValidationScheme,
    /// Hex SHA-256 or SHA-1, one or two, with `ThumbprintMatch` only.
    pub allowed_thumbprints: Vec<String>,
}

/// The certificate field compared with the authentication name (event-grid 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValidationScheme {
    /// Common name or whole distinguished name.
    #[default]
    SubjectMatchesAuthenticationName,
    /// A dNSName.
    DnsMatchesAuthenticationName,
    /// A URI.
    UriMatchesAuthenticationName,
    /// An iPAddress.
    IpMatchesAuthenticationName,
    /// An rfc822Name.
    EmailMatchesAuthenticationName,
    /// The certificate itself.
    ThumbprintMatch,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a string, an integer, a boolean or an array of strings")]
pub enum AttributeValue {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// Several texts.
    List(Vec<String>),
}

/// A client group.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupEntry {
    /// 3 to 50 letters, digits or `-`; `$all` is built in.
    pub name: String,
    /// The rest.
    pub properties: GroupProperties,
}

/// `clientGroups[].properties`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GroupProperties {
    /// Which clients belong to it (event-grid 5.2).
    pub query: String,
    /// Free text.
    #[serde(default)]
    pub description: Option<String>,
    /// Read-only in ARM; accepted from exports and not used.
    #[serde(default)]
    pub provisioning_state: Option<String>,
}

/// A topic space.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicSpaceEntry {
    /// 3 to 50 letters, digits or `-`.
    pub name: String,
    /// The rest.
    pub properties: TopicSpaceProperties,
}

/// `topicSpaces[].properties`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TopicSpaceProperties {
    /// Filters with variables (event-grid 5.3).
    pub topic_templates: Vec<String>,
    /// Free text.
    #[serde(default)]
    pub description: Option<String>,
    /// Read-only in ARM; accepted from exports and not used.
    #[serde(default)]
    pub provisioning_state: Option<String>,
}

/// A permission binding.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BindingEntry {
    /// 3 to 50 letters, digits or `-`.
    pub name: String,
    /// The rest.
    pub properties: BindingProperties,
}

/// `permissionBindings[].properties`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BindingProperties {
    /// A client group, or `$all`.
    pub client_group_name: String,
    /// A topic space.
    pub topic_space_name: String,
    /// What the group may do there.
    pub permission: Permission,
    /// Free text.
    #[serde(default)]
    pub description: Option<String>,
    /// Read-only in ARM; accepted from exports and not used.
    #[serde(default)]
    pub provisioning_state: Option<String>,
}

/// What a binding permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permission {
    /// Publish to the topic space.
    Publisher,
    /// Subscribe within the topic space.
    Subscriber,
}

impl ClientEntry {
    /// The authentication name: its own, else the resource name (event-grid 4.2).
    pub fn authentication_name(&self) -> &str {
        self.properties.authentication_name.as_deref().unwrap_or(&self.name)
    }
}
