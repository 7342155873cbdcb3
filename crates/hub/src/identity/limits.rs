//! Every bound of the registry (iot-hub B1.1, C2, C3). At each of them the request is refused with
//! its name, and nothing changes.

/// Devices and modules of a hub, all together.
pub const IDENTITIES_MAX: u64 = 1_000_000;
/// Modules of one device.
pub const MODULES_OF_DEVICE_MAX: u32 = 50;
/// Rows of one bulk call.
pub const BULK_ROWS_MAX: usize = 100;
/// Arrays and objects in each other in a request. Ours: it bounds the stack.
pub const REQUEST_DEPTH_MAX: usize = 127;
/// The id of a device or a module, in characters.
pub const ID_CHARS_MAX: usize = 128;
/// What is shown of a bad id in an error, in characters.
pub const SHOWN_ID_CHARS_MAX: usize = 128;
/// `statusReason`, in characters.
pub const REASON_CHARS_MAX: usize = 128;
/// `managedBy`, in characters. Ours.
pub const MANAGED_BY_CHARS_MAX: usize = 128;
/// A scope, in characters. Ours: room for a scheme, an id and a generation.
pub const SCOPE_CHARS_MAX: usize = 256;
/// `parentScopes` of an edge device. Ours.
pub const PARENT_SCOPES_MAX: usize = 32;
/// Policies of a hub (C2).
pub const POLICIES_MAX: usize = 16;
/// Those of them with the right ServiceConnect.
pub const SERVICE_POLICIES_MAX: usize = 10;
/// The name of a policy, in bytes of ASCII. Ours.
pub const POLICY_NAME_BYTES_MAX: usize = 64;
