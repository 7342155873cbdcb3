//! The query language of services, jobs and routes (iot-hub B7, B5).
//!
//! Owns text to a bounded tree ([`Query`], [`Condition`]), what the tree says of one document, and
//! what an index could answer ([`Equality`]). Refuses to know where documents lie, in which order
//! they come and how results are paged: it looks at one [`Document`] at a time.
//!
//! What the vendor's text leaves open and we chose:
//!
//! - Comparing with undefined gives undefined; so does comparing arrays and objects. Values of
//!   different types are unequal and in no order (`<` gives undefined); null equals null only.
//! - `AND` is false if a side is, else undefined if a side is no boolean; `OR` likewise with true;
//!   `NOT` of what is no boolean is undefined. Only true selects.
//! - A `-` between letters and digits belongs to the name (`$dt-subject`); subtraction has blanks.
//! - Keys inside JSON (tags, properties, bodies) are taken as written; keywords, functions, roots,
//!   fields of documents and names of message properties in any case.
//! - A column without alias is called as the last name of its path, an aggregate `$1`, `$2` ...
//! - Texts are compared and ordered by code point; moments that a twin's document has
//!   (`lastActivityTime`, `$lastUpdated`) as moments, with any text that says one.

mod aggregate;
mod body;
mod condition;
mod document;
mod equality;
mod evaluate;
mod expression;
mod function;
mod lexer;
mod limits;
mod message;
mod number;
mod parser;
mod path;
mod refused;
mod statement;
mod statement_parser;
mod tally;
mod twin_document;
mod value;

pub use body::Body;
pub use condition::{Condition, Verdict};
pub use document::Document;
pub use equality::Equality;
pub use expression::Constant;
pub use limits::*;
pub use message::Message;
pub use number::Number;
pub use path::{Path, Root, Step};
pub use refused::Refused;
pub use statement::{ItemKind, Query, Source};
pub use tally::Tally;
pub use twin_document::TwinDocument;
pub use value::Value;
