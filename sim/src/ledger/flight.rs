//! QoS 1 and 2 towards a client: which identifiers are out, on which connection they went last,
//! and what must be sent again before anything new (MQTT 5, 4.3 and 4.4).

use super::Ledger;
use super::attempt::Content;
use mqtt::qos::QoS;

/// A PUBLISH that is not answered to the end.
pub(crate) struct Flight {
    pub id: u16,
    pub content: Content,
    pub qos: QoS,
    /// PUBREC came: only PUBREL may follow.
    pub released: bool,
    /// The connection it was last sent on.
    pub conn: usize,
    /// Bytes of the packet.
    pub len: usize,
    /// A connection since then may not have taken a packet so large: as if delivered.
    pub doubtful: bool,
}

/// Whether a PUBLISH says that it was sent before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    First,
    Again,
}

impl Ledger {
    /// A PUBLISH with an identifier goes out.
    pub fn fly(&mut self, new: Flight, sending: Sending) {
        let (conn, id) = (new.conn, new.id);
        let Some(client) = self.serves(conn) else { return };
        let window = usize::from(self.conns[conn].opened.window);
        let Some(s) = &mut self.sessions[client] else { return };
        let done = match sending {
            Sending::First => first(&mut s.flights, new),
            Sending::Again => again(&mut s.flights, &new),
        };
        let under_way = s.flights.iter().filter(|f| f.conn == conn).count();
        let done = done.and_then(|()| match under_way > window {
            true => Err(format!("{under_way} messages are under way, {window} may be")),
            false => Ok(()),
        });
        if let Err(wrong) = done {
            let client = self.clients[client].clone();
            self.fail(|| format!("{client}: id {id} {wrong}"));
        }
    }

    /// PUBACK, or PUBCOMP, or a PUBREC that refuses: the exchange is over.
    pub fn land(&mut self, conn: usize, id: u16, lands: impl Fn(&Flight) -> bool) {
        if let Some(client) = self.attached(conn)
            && let Some(s) = &mut self.sessions[client]
        {
            s.flights.retain(|f| f.id != id || !lands(f));
        }
    }

    /// PUBREC: whether the identifier waited for it.
    pub fn release(&mut self, conn: usize, id: u16) -> bool {
        let Some(client) = self.attached(conn) else { return false };
        let Some(s) = &mut self.sessions[client] else { return false };
        let Some(f) = s.flights.iter_mut().find(|f| f.id == id && f.qos == QoS::ExactlyOnce) else {
            return false;
        };
        f.released = true;
        true
    }

    /// In a quiet moment nothing is under way to a client that answers.
    pub fn check_landed(&mut self, client: usize) {
        let Some(s) = &self.sessions[client] else { return };
        let ids: Vec<u16> = s.flights.iter().filter(|f| !f.doubtful).map(|f| f.id).collect();
        let what = format!("{}: {ids:?} are never finished", self.clients[client]);
        self.check(ids.is_empty(), || what);
    }
}

impl Flight {
    /// Must be sent again on `conn` before anything new.
    fn waits(&self, conn: usize) -> bool {
        self.conn != conn && !self.released && !self.doubtful
    }
}

fn first(flights: &mut Vec<Flight>, new: Flight) -> Result<(), String> {
    if let Some(at) = flights.iter().position(|f| f.id == new.id) {
        if !flights[at].doubtful {
            return Err("is taken, and DUP is 0".to_owned());
        }
        flights.remove(at);
    }
    if let Some(f) = flights.iter().find(|f| f.waits(new.conn)) {
        return Err(format!("is new, but id {} must be sent again", f.id));
    }
    flights.push(new);
    Ok(())
}

fn again(flights: &mut [Flight], new: &Flight) -> Result<(), String> {
    let Some(at) = flights.iter().position(|f| f.id == new.id) else {
        return Err("with DUP was never sent".to_owned());
    };
    let earlier = flights[..at].iter().find(|f| f.waits(new.conn)).map(|f| f.id);
    let f = &mut flights[at];
    if f.content != new.content || f.qos != new.qos {
        return Err(format!("with DUP is another message: {:?}", new.content));
    }
    if f.released {
        return Err("was received, only PUBREL may follow".to_owned());
    }
    if f.conn == new.conn {
        return Err("is sent twice on one connection".to_owned());
    }
    if let Some(earlier) = earlier {
        return Err(format!("is sent again before id {earlier}"));
    }
    (f.conn, f.doubtful) = (new.conn, false);
    Ok(())
}

/// What a packet may grow by when the protocol version changes.
pub(super) const SLACK_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(id: u16, conn: usize) -> Flight {
        let content = ("t".to_owned(), vec![id as u8]);
        let (qos, released) = (QoS::AtLeastOnce, false);
        Flight { id, content, qos, released, conn, len: 10, doubtful: false }
    }

    #[test]
    fn what_is_under_way_is_sent_again_first_and_in_order() {
        let mut flights = vec![flight(1, 0), flight(2, 0)];
        assert!(first(&mut flights, flight(1, 1)).is_err(), "the identifier is taken");
        assert!(first(&mut flights, flight(3, 1)).is_err(), "1 and 2 must come first");
        assert!(again(&mut flights, &flight(2, 1)).is_err(), "1 must come first");
        assert!(again(&mut flights, &flight(9, 1)).is_err(), "9 was never sent");
        assert_eq!(again(&mut flights, &flight(1, 1)), Ok(()));
        assert!(again(&mut flights, &flight(1, 1)).is_err(), "twice on one connection");
        flights[1].released = true;
        assert!(again(&mut flights, &flight(2, 1)).is_err(), "it was received");
        assert_eq!(first(&mut flights, flight(3, 1)), Ok(()));
    }
}
