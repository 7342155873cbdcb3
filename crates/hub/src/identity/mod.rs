//! Who is registered: devices and modules (iot-hub C3). Refuses to know twins, connections and
//! HTTP.

#[cfg(test)]
pub(crate) mod chance;
mod id;

pub use id::{DeviceId, IdentityId, ModuleId, NameError};
