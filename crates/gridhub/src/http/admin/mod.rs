//! `/admin/...`: what an operator may see and do (product 4). Every path needs a token with the
//! role contributor.

pub mod clock;
pub mod session;

use std::sync::Arc;

use broker::access::{Manage, Principal};
use hyper::HeaderMap;

use super::app::App;
use super::backend::Backend;
use super::error::HttpError;

/// # Errors
/// 401 without a good token, 403 without the role.
fn contributor<B: Backend>(app: &App<B>, headers: &HeaderMap) -> Result<Arc<Principal>, HttpError> {
    let who = app.authenticate(headers)?;
    match who.permissions.manage() {
        Manage::Yes => Ok(who),
        Manage::No => Err(HttpError::forbidden(
            "NotAuthorized",
            format!("'{}' is no contributor; use a token with the role contributor", who.name),
        )),
    }
}
