//! The device that `gridhub dev` begins with (product 3): found or made at start. Refuses to know
//! who is told of it.

use anyhow::{Context, anyhow};
use hub::IfMatch;
use hub::errors::{ErrorCode, Refusal};
use hub::identity::{Authentication, DeviceId, Wanted};
use hub::sas::Key;
use node::devices::{Ask, Asked};
use tokio::sync::oneshot;

use crate::fresh::fresh;
use crate::http::backend::Backend;

/// A device and the key that it may use.
pub struct FirstDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its primary key.
    pub key: Key,
}

/// Finds the device, or makes it with keys of its own; `None` where there is no hub, where
/// somebody gave the device another proof than keys, and where it cannot be made because the disk
/// takes nothing: all else may run.
///
/// # Errors
/// When the reactors have ended.
pub async fn first_device<B: Backend>(backend: &B) -> anyhow::Result<Option<FirstDevice>> {
    if backend.hub().is_none() {
        return Ok(None);
    }
    let id = DeviceId::parse(FIRST).context("the first device")?;
    let shown = match created(backend, &id).await? {
        Err(refusal) if refusal.code == ErrorCode::DeviceAlreadyExists => {
            answer(backend, &id, Ask::Get).await?
        }
        created => created,
    };
    let shown = match shown {
        Ok(shown) => shown,
        Err(Refusal { message, .. }) => {
            tracing::warn!(%id, why = %message, "the first device cannot be made");
            return Ok(None);
        }
    };
    Ok(match shown.identity.unpack().authentication {
        Authentication::Sas(keys) => Some(FirstDevice { id, key: keys.primary }),
        _ => None,
    })
}

type Found = Result<node::devices::Shown, Refusal>;

async fn created<B: Backend>(backend: &B, id: &DeviceId) -> anyhow::Result<Found> {
    let wanted = Wanted::read(b"{}", id.clone().into());
    let wanted = Box::new(wanted.map_err(|refusal| anyhow!("{}", refusal.message))?);
    let fresh = fresh(backend.wall_ms()).context("the system gives no random bytes")?;
    answer(backend, id, |reply| {
        let put = Box::new(|put: Result<node::devices::Placed, Refusal>| {
            reply(put.map(|placed| placed.shown));
        });
        Ask::Put(wanted, IfMatch::Absent, Box::new(fresh), put)
    })
    .await
}

async fn answer<B: Backend>(
    backend: &B,
    id: &DeviceId,
    ask: impl FnOnce(node::door::Reply<Found>) -> Ask,
) -> anyhow::Result<Found> {
    let (reply, answer) = oneshot::channel();
    let ask = ask(Box::new(move |found| drop(reply.send(found))));
    backend.ask(Asked { id: id.clone().into(), ask });
    answer.await.context("the reactors have ended")
}

const FIRST: &str = "device1";
