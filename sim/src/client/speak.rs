//! What a client says: each call puts one packet behind those that wait for the socket.

use super::{Client, Outgoing, Phase, Sent, Wish};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::subscribe::Filters;
use mqtt::wire::unsubscribe::FilterList;
use mqtt::wire::{
    AckKind, AuthOut, Connect, Diagnostics, DisconnectOut, PINGREQ, Properties, PublishOut,
    Subscribe, SubscribeOptions, Unsubscribe, Version, ack,
};

impl Client {
    /// CONNECT on a new socket.
    pub fn connect(&mut self, socket: usize, c: &Connect<'_>) {
        self.left();
        self.phase = Phase::Connecting;
        self.socket = Some(socket);
        self.version = c.version;
        self.method = c.authentication_method.is_some();
        self.lasts = match c.version {
            Version::V5 => c.session_expiry.is_some_and(|s| s > 0),
            Version::V311 => !c.clean_start,
        };
        if c.clean_start {
            self.forget();
        }
        let mut bytes = Vec::new();
        c.encode(&mut bytes).expect("strings of a client are short");
        self.outgoing.push_back(bytes);
    }

    /// A new publish; `use_alias` asks for a topic alias if one is to be had.
    pub fn publish(&mut self, m: &Outgoing, use_alias: bool) {
        let mut id = 0;
        if m.qos > QoS::AtMostOnce {
            id = self.free_id();
            self.sent.push(Sent { id, message: m.clone(), released: false });
        }
        let (alias, send_topic) = if use_alias { self.alias(&m.topic) } else { (0, true) };
        self.push_publish(m, id, false, (alias, send_topic));
    }

    /// An alias for a topic, and whether the topic has to be said with it.
    fn alias(&mut self, topic: &str) -> (u16, bool) {
        if self.version == Version::V311 {
            return (0, true);
        }
        if let Some(at) = self.aliases_out.iter().position(|t| t == topic) {
            return (at as u16 + 1, false);
        }
        if self.aliases_out.len() >= usize::from(self.server.alias_max.min(4)) {
            return (0, true);
        }
        self.aliases_out.push(topic.to_owned());
        (self.aliases_out.len() as u16, true)
    }

    fn push_publish(&mut self, m: &Outgoing, id: u16, dup: bool, alias: (u16, bool)) {
        let packet = PublishOut {
            version: self.version,
            dup,
            qos: m.qos,
            retain: m.retain,
            topic: &m.topic,
            packet_id: id,
            alias: alias.0,
            send_topic: alias.1,
            subscription_ids: &[],
            properties: &m.properties,
            expiry: None,
            payload: &m.payload,
        };
        let mut bytes = Vec::new();
        packet.encode(&mut bytes);
        self.outgoing.push_back(bytes);
    }

    /// Everything that is under way, again and in order (MQTT 5, 4.4).
    pub(super) fn resend(&mut self) {
        for s in self.sent.clone() {
            if s.released {
                self.answer(AckKind::PubRel, s.id, Reason::SUCCESS);
            } else {
                self.push_publish(&s.message, s.id, true, (0, true));
            }
        }
    }

    pub(super) fn answer(&mut self, kind: AckKind, id: u16, reason: Reason) {
        let mut bytes = Vec::new();
        let id = PacketId::new(id).expect("identifiers are never zero");
        ack(&mut bytes, self.version, kind, id, reason);
        self.outgoing.push_back(bytes);
    }

    /// Gives the number of what is asked.
    pub fn subscribe(&mut self, filters: &[(&str, SubscribeOptions)], id: Option<u32>) -> u64 {
        let wishes = wishes(filters);
        let mut raw = Vec::new();
        for (filter, options) in filters {
            Filters::push(&mut raw, filter, *options, self.version).expect("filters are short");
        }
        let filters = Filters::parse(&raw, self.version).expect("filters are valid");
        let packet_id = PacketId::new(self.free_id()).expect("identifiers are never zero");
        let ask = self.asks(packet_id.get(), wishes);
        let subscription_id = id.filter(|_| self.version == Version::V5);
        let properties = Properties::EMPTY;
        let mut bytes = Vec::new();
        Subscribe { packet_id, subscription_id, properties, filters }
            .encode(self.version, &mut bytes)
            .expect("a SUBSCRIBE is short");
        self.outgoing.push_back(bytes);
        self.subscribed = true;
        ask
    }

    /// Gives the number of what is asked.
    pub fn unsubscribe(&mut self, filter: &str) -> u64 {
        let mut raw = Vec::new();
        FilterList::push(&mut raw, filter).expect("filters are short");
        let filters = FilterList::parse(&raw, self.version).expect("filters are valid");
        let packet_id = PacketId::new(self.free_id()).expect("identifiers are never zero");
        let ask = self.asks(packet_id.get(), Vec::new());
        let mut bytes = Vec::new();
        Unsubscribe { packet_id, properties: Properties::EMPTY, filters }
            .encode(self.version, &mut bytes)
            .expect("an UNSUBSCRIBE is short");
        self.outgoing.push_back(bytes);
        ask
    }

    pub fn ping(&mut self) {
        self.outgoing.push_back(PINGREQ.to_vec());
    }

    /// AUTH: asks for its rights anew (MQTT 5, 4.12.1).
    pub fn renew(&mut self) {
        let auth = AuthOut {
            reason: Reason::RE_AUTHENTICATE,
            method: METHOD,
            data: None,
            diagnostics: Diagnostics::NONE,
        };
        let mut bytes = Vec::new();
        auth.encode(usize::MAX, &mut bytes).expect("an AUTH is short");
        self.outgoing.push_back(bytes);
        self.renewing = true;
    }

    pub fn disconnect(&mut self, reason: Reason, expiry_s: Option<u32>) {
        let mut d = DisconnectOut::new(reason);
        d.session_expiry = expiry_s;
        let mut bytes = Vec::new();
        d.encode(self.version, usize::MAX, &mut bytes).expect("a DISCONNECT is short");
        self.outgoing.push_back(bytes);
    }
}

/// What a SUBSCRIBE asks for.
pub(crate) fn wishes(filters: &[(&str, SubscribeOptions)]) -> Vec<Wish> {
    filters.iter().map(|(filter, o)| ((*filter).to_owned(), o.qos, o.no_local)).collect()
}

/// The authentication method of those who renew.
pub(crate) const METHOD: &str = "M";
