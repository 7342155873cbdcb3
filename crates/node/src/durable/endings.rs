//! Sessions that are over here and not yet in the log, and who waits for that.
//!
//! Until the log knows, a start would find the session again. Refuses to know how an end is
//! written.

use super::Durable;
use crate::door::Reply;
use crate::journal::SessionId;
use crate::link::LinkId;
use crate::post::Deleted;
use broker::access::Principal;
use broker::subscription::SessionRef;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use mqtt::client_id::ClientId;
use std::sync::Arc;

/// The sessions of one reactor that end.
#[derive(Default)]
pub(crate) struct Endings {
    all: HashMap<SessionId, Ending, RandomState>,
    /// The last end of each client that the log does not know.
    by_client: HashMap<ClientId, SessionId, RandomState>,
    /// Those that the disk has refused: they are told once more.
    refused: Vec<SessionId>,
}

struct Ending {
    client: ClientId,
    /// What the session leaves behind.
    durable: Box<Durable>,
    waits: Vec<Waits>,
}

/// Who waits for an end.
pub(crate) enum Waits {
    /// A connection of the same client, with a session that the log does not keep: CONNACK.
    Attach { session: SessionRef, link: LinkId, principal: Arc<Principal> },
    /// An operator.
    Reply(Reply<Deleted>),
}

impl Endings {
    /// A session's end goes to the log.
    pub fn begin(&mut self, client: ClientId, durable: Box<Durable>) {
        self.by_client.insert(client.clone(), durable.id);
        self.all.insert(durable.id, Ending { client, durable, waits: Vec::new() });
    }

    /// What the log has of a session that ends.
    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut Durable> {
        self.all.get_mut(&id).map(|ending| &mut *ending.durable)
    }

    /// Waits for the end of the client's last session; gives it back if nothing is on its way.
    pub fn wait(&mut self, client: &ClientId, waits: Waits) -> Result<(), Waits> {
        let id = self.by_client.get(client).filter(|id| !self.refused.contains(id));
        match id.and_then(|id| self.all.get_mut(id)) {
            Some(ending) => {
                ending.waits.push(waits);
                Ok(())
            }
            None => Err(waits),
        }
    }

    /// The log knows: what the session leaves behind, and who has waited.
    pub fn kept(&mut self, id: SessionId) -> Option<(Box<Durable>, Vec<Waits>)> {
        let Ending { client, durable, waits } = self.all.remove(&id)?;
        if self.by_client.get(&client) == Some(&id) {
            self.by_client.remove(&client);
        }
        Some((durable, waits))
    }

    /// The disk has not taken it: nobody waits longer, and it is told again.
    pub fn refuse(&mut self, id: SessionId) -> Vec<Waits> {
        self.refused.push(id);
        self.all.get_mut(&id).map_or_else(Vec::new, |ending| std::mem::take(&mut ending.waits))
    }

    /// Whether some end has to be told again.
    pub fn is_any_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Ends to be told again.
    pub fn take_refused(&mut self) -> Vec<SessionId> {
        std::mem::take(&mut self.refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Sum;
    use store::op::Sequence;

    fn ends(endings: &mut Endings, id: u64) -> ClientId {
        let client = ClientId::parse("c").unwrap();
        let durable = Durable::new(SessionId(id), Sequence(0), Sum::default().hold());
        endings.begin(client.clone(), Box::new(durable));
        client
    }

    fn waits() -> Waits {
        Waits::Reply(Box::new(|_| ()))
    }

    #[test]
    fn who_comes_waits_for_the_last_end_of_the_same_client() {
        let mut endings = Endings::default();
        let client = ends(&mut endings, 1);
        ends(&mut endings, 2);
        assert!(endings.wait(&ClientId::parse("d").unwrap(), waits()).is_err());
        assert!(endings.wait(&client, waits()).is_ok());
        assert_eq!(endings.kept(SessionId(1)).unwrap().1.len(), 0);
        // The second one is still on its way.
        assert!(endings.wait(&client, waits()).is_ok());
        assert_eq!(endings.kept(SessionId(2)).unwrap().1.len(), 2);
        assert!(endings.wait(&client, waits()).is_err());
    }

    #[test]
    fn nobody_waits_for_a_disk_that_refuses() {
        let mut endings = Endings::default();
        let client = ends(&mut endings, 1);
        assert!(endings.wait(&client, waits()).is_ok());
        assert_eq!(endings.refuse(SessionId(1)).len(), 1);
        assert!(endings.wait(&client, waits()).is_err());
        assert_eq!(endings.take_refused(), [SessionId(1)]);
        // It is told again, and knows what the session leaves behind.
        assert!(endings.wait(&client, waits()).is_ok());
        assert!(endings.get_mut(SessionId(1)).is_some());
    }
}
