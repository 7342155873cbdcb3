//! Every bound of the language and of what it makes.

/// The text of a query or a condition, in characters (B7).
pub const QUERY_CHARS_MAX: usize = 8192;
/// Parentheses, calls, `NOT` and signs in each other. Ours: it bounds the stack.
pub const DEPTH_MAX: usize = 50;
/// Groups of one `GROUP BY`; at the bound the query is refused.
pub const GROUPS_MAX: usize = 10_000;
/// What the values that groups are named by may take together; at the bound the query is refused.
pub const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A text that a function makes; a longer one is undefined.
pub const MADE_TEXT_BYTES_MAX: usize = 256 * 1024;
/// Arrays and objects in each other in a message body; a deeper body is undefined.
pub const BODY_DEPTH_MAX: usize = 64;
