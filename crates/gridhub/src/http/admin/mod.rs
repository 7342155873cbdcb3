//! `/admin/...`: what an operator may see and do (product 4). Every path needs a token with the
//! role contributor.

pub mod backup;
pub mod clock;
pub mod durability;
pub mod endpoint;
pub mod fault;
pub mod session;

use axum::extract::FromRequestParts;
use broker::access::Manage;
use hyper::http::request::Parts;

use super::app::App;
use super::backend::Backend;
use super::call::Caller;
use super::error::HttpError;

/// Proof that the caller has the role. Stands first among a handler's arguments, so that nothing of
/// the request is judged before (event-grid 2.5).
pub struct Contributor(());

impl<B: Backend> FromRequestParts<App<B>> for Contributor {
    type Rejection = HttpError;

    /// 401 without a good token, 403 without the role.
    async fn from_request_parts(head: &mut Parts, app: &App<B>) -> Result<Self, HttpError> {
        let Caller { who, .. } = app.authenticate(head)?;
        match who.permissions.manage() {
            Manage::Yes => Ok(Contributor(())),
            Manage::No => Err(HttpError::forbidden(
                "NotAuthorized",
                format!("'{}' is no contributor; use a token with the role contributor", who.name),
            )),
        }
    }
}
