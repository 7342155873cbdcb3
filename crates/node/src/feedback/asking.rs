//! What readers of feedback ask (iot-hub C6), as plain data with the way back.

use super::keeping::Settling;
use crate::door::Reply;
use crate::shard::Shard;
use hub::LockToken;
use hub::errors::Refusal;
use hub::feedback::Delivery;

/// A request to reactor 0. Each has its answer once, which comes when what it says is a fact.
pub enum FeedbackAsk {
    /// The next batch, locked for a while (GET); none, if none waits.
    Receive(Reply<Result<Option<FeedbackGiven>, Refusal>>),
    /// What becomes of a batch (DELETE, POST).
    Settle(LockToken, FeedbackSettlement, Reply<Result<(), Refusal>>),
}

/// A batch with its lock.
#[derive(Debug)]
pub struct FeedbackGiven {
    /// What settles it.
    pub token: LockToken,
    /// What it says, and how often it was given back.
    pub delivery: Delivery,
}

/// What a reader makes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedbackSettlement {
    /// It has understood it.
    Complete,
    /// It gives it back.
    Abandon,
}

impl Shard {
    /// Somebody asks something of the outbox.
    pub(crate) fn feedback_asked(&mut self, ask: FeedbackAsk) {
        let Some(hub) = self.devices.hub.clone() else { return };
        let now_ms = self.homes.now.wall_ms;
        match ask {
            FeedbackAsk::Receive(reply) => {
                let token =
                    LockToken(u128::from(self.ids.number()) << 64 | u128::from(self.ids.number()));
                let delivery = self.feedback.outbox.receive(token, &hub.feedback, now_ms);
                reply(Ok(delivery.map(|delivery| FeedbackGiven { token, delivery })));
                self.await_feedback();
            }
            FeedbackAsk::Settle(token, how, reply) => {
                let outbox = &mut self.feedback.outbox;
                let settled = match how {
                    FeedbackSettlement::Complete => outbox.complete(token, now_ms),
                    FeedbackSettlement::Abandon => outbox.abandon(token, &hub.feedback, now_ms),
                };
                match settled {
                    Ok(record) => self.write_feedback(Settling { record, reply: Some(reply) }),
                    Err(lost) => reply(Err(lost.into())),
                }
            }
        }
    }
}
