//! Who may publish, subscribe and manage.
//!
//! Owns groups, topic spaces, bindings, templates and the one [`Authorizer`]. Authentication is
//! over when this begins: it gets a name and attributes, answers without IO, and refuses to know
//! certificates, tokens and passwords.

mod attributes;
mod authorizer;
mod coverage;
mod denied;
mod group;
mod names;
mod permission;
mod policy;
mod principal;
mod query_parser;
mod session_quota;
mod template;
mod topic_space;

pub use attributes::{AttributeError, Attributes, ClientFacts, Value};
pub use authorizer::{Authorized, Authorizer, Permit};
pub use denied::{Action, Denied};
pub use group::{Group, Query};
pub use names::NameError;
pub use permission::{Manage, PermissionSet, PermissionSetId, PermissionSets};
pub use policy::{Binding, Grants, Permission, Policy, PolicyError, Role, Scope};
pub use principal::{Principal, Source};
pub use query_parser::QueryError;
pub use session_quota::{SessionQuota, SessionsFull};
pub use template::{Template, TemplateError, TooManyFilters};
pub use topic_space::{TopicSpace, TopicSpaceError};
