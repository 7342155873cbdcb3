//! Questions to the homes of devices, each with its answer. Refuses to know what is asked.

use hub::errors::{ErrorCode, Refusal};
use hub::identity::{Fresh, IdentityId};
use node::devices::{Ask, Asked};
use node::door::Reply;
use tokio::sync::oneshot;

use crate::fresh::fresh;
use crate::http::backend::Backend;
use crate::http::error::HttpError;

/// An answer that is on its way.
pub struct Pending<T>(oneshot::Receiver<T>);

impl<T> Pending<T> {
    /// The answer.
    ///
    /// # Errors
    /// 503 when the server ends before it.
    pub async fn answer(self) -> Result<T, HttpError> {
        self.0.await.map_err(|_| ending())
    }
}

/// Asks the home of `id`. What is asked one after the other of one device is decided in that order.
pub fn post<B: Backend, T: Send + 'static>(
    backend: &B,
    id: &IdentityId,
    ask: impl FnOnce(Reply<T>) -> Ask,
) -> Pending<T> {
    let (reply, answer) = oneshot::channel();
    let ask = ask(Box::new(move |value| drop(reply.send(value))));
    backend.ask(Asked { id: id.clone(), ask });
    Pending(answer)
}

/// Asks the home of `id` and waits for the answer.
///
/// # Errors
/// What the home refuses; 503 when the server ends before the answer.
pub async fn ask<B: Backend, T: Send + 'static>(
    backend: &B,
    id: &IdentityId,
    ask: impl FnOnce(Reply<Result<T, Refusal>>) -> Ask,
) -> Result<T, HttpError> {
    Ok(post(backend, id, ask).answer().await??)
}

/// Fresh keys and numbers.
///
/// # Errors
/// 503 when the system gives no random bytes.
pub fn drawn<B: Backend>(backend: &B) -> Result<Box<Fresh>, HttpError> {
    let fresh = fresh(backend.wall_ms()).map(Box::new);
    let text = "the system gives no random bytes, try again";
    fresh.ok_or_else(|| Refusal::new(ErrorCode::ServiceUnavailable, text).into())
}

/// The server ends.
pub fn ending() -> HttpError {
    Refusal::new(ErrorCode::ServiceUnavailable, "the server shuts down, try again").into()
}
