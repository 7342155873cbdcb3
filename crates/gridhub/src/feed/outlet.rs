//! What goes to endpoints, for those who give it to them. Refuses to know what they are.

use super::Feed;
use node::channel::{KeptIn, Outlet, Portion};
use std::sync::Arc;
use store::log::Credit;
use store::op::Sequence;

impl Feed {
    /// Those of the hub's own endpoints, in the order of the configuration.
    pub fn outlets(&self) -> &[Outlet] {
        self.channel.outlets()
    }

    /// Messages for an endpoint behind one.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub async fn portion(
        self: &Arc<Self>,
        outlet: usize,
        after: Sequence,
        credit: Credit,
    ) -> Result<Portion, String> {
        self.blocking(move |feed| {
            feed.channel.read_outlet(feed.log.as_ref(), outlet, after, credit)
        })
        .await
    }

    /// Whether a message for an endpoint has become too old or too much.
    pub fn has_lapsed(&self, outlet: usize, at: Sequence) -> bool {
        let kept = if self.log.is_some() { KeptIn::InLog } else { KeptIn::InMemory };
        self.channel.has_lapsed(outlet, at, kept)
    }
}
