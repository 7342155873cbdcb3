//! A registered identity: what the log keeps of a device or module (iot-hub C3). Refuses to know
//! whether it is connected.

use std::borrow::Cow;

use super::authentication::Authentication;
use super::generation::Generation;
use super::id::{DeviceId, IdentityId, ModuleId};
use crate::{Etag, Moment};

/// A device or module of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The device, or whose module it is.
    pub device: DeviceId,
    /// Which life of its id.
    pub generation: Generation,
    /// Which state of this life.
    pub etag: Etag,
    /// How it proves itself.
    pub authentication: Authentication,
    /// What only devices or only modules have.
    pub part: Part,
}

/// What an identity is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A device.
    Device(Device),
    /// A module of a device.
    Module(Module),
}

/// What only a device has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// Whether it and its modules may connect.
    pub status: Status,
    /// Why, in the operator's words: at most 128 characters.
    pub status_reason: Option<Box<str>>,
    /// When the status changed last.
    pub status_updated: Moment,
    /// Capability `iotEdge`.
    pub edge: Edge,
    /// Of a leaf: the scope of its parent. An edge device has one of its own, see
    /// [`Identity::scope`].
    pub scope: Option<Box<str>>,
    /// Of an edge device: its parents' scopes.
    pub parent_scopes: Box<[Box<str>]>,
}

/// What only a module has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its id on the device.
    pub id: ModuleId,
    /// Who looks after it; free text.
    pub managed_by: Option<Box<str>>,
}

/// `status` of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// May use every endpoint that its proof allows.
    #[default]
    Enabled,
    /// May use none, and loses the connection that it has.
    Disabled,
}

impl Status {
    /// The text in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }
}

/// Capability `iotEdge` of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Edge {
    /// An ordinary device.
    #[default]
    No,
    /// Others may connect through it.
    Yes,
}

impl Identity {
    /// Its id.
    pub fn id(&self) -> IdentityId {
        let module = match &self.part {
            Part::Device(_) => None,
            Part::Module(module) => Some(module.id.clone()),
        };
        IdentityId { device: self.device.clone(), module }
    }

    /// `deviceScope`: an edge device's own, a leaf's parent's.
    pub fn scope(&self) -> Option<Cow<'_, str>> {
        match &self.part {
            Part::Device(Device { edge: Edge::Yes, .. }) => {
                Some(format!("{SCOPE_SCHEME}{}-{}", self.device, self.generation).into())
            }
            Part::Device(device) => device.scope.as_deref().map(Cow::Borrowed),
            Part::Module(_) => None,
        }
    }

    /// `parentScopes`: of a leaf that has a parent, that one's.
    pub fn parent_scopes(&self) -> &[Box<str>] {
        match &self.part {
            Part::Device(device) => match device.edge {
                Edge::Yes => &device.parent_scopes,
                Edge::No => device.scope.as_slice(),
            },
            Part::Module(_) => &[],
        }
    }
}

const SCOPE_SCHEME: &str = "ms-azure-iot-edge://";
