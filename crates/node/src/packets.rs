//! From bytes to packets to what answers them. The match below is the table of contents.

use crate::auth::{AuthOutcome, AuthRequest};
use crate::effect::{Effect, Linger};
use crate::link::LinkId;
use crate::link::Phase;
use crate::publish::Packet as Whole;
use crate::shard::Shard;
use crate::timers::Timer;
use mqtt::error::Wrong;
use mqtt::reason::Reason;
use mqtt::wire::{
    Auth, AuthOut, ConnAckOut, Connect, Diagnostics, Frame, PINGRESP, Packet, Version, decode,
    frame, frame_v31,
};
use std::sync::Arc;

impl Shard {
    /// Bytes of a connection. Gives how many were used: the rest is an incomplete packet, or
    /// waits until [`Effect::Resume`] because nothing more may be decoded now.
    pub fn input(&mut self, id: LinkId, bytes: &[u8]) -> usize {
        let now_ms = self.homes.now.mono_ms;
        let Some(l) = self.homes.links.get_mut(id.slot, id.generation) else { return bytes.len() };
        if matches!(l.phase, Phase::Attached(_)) {
            // Before that one deadline holds, whatever comes (core.md 6).
            l.last_seen_ms = now_ms;
        }
        let packet_max = self.homes.limits.packet_bytes_max;
        let mut at = 0;
        loop {
            let Some(l) = self.homes.links.get(id.slot, id.generation) else { return bytes.len() };
            if !l.reads() {
                // Whatever a closing connection still says is not heard; what one says that moves
                // is heard at its home.
                let ends = matches!(l.phase, Phase::Closing) && !self.homes.moving.contains(&id);
                return if ends { bytes.len() } else { at };
            }
            let f = match frame(&bytes[at..], packet_max) {
                Ok(Some(f)) => f,
                Ok(None) => return at,
                Err(wrong) => match self.repeat_of_v31(id, &bytes[at..], wrong) {
                    Some(Some(f)) => f,
                    Some(None) => return at,
                    None => return bytes.len(),
                },
            };
            let whole = Whole { bytes: &bytes[at..at + f.len], header: f.len - f.body.len() };
            if let Err(wrong) = self.packet(id, f, whole) {
                self.fail(id, wrong, Some(f));
                return bytes.len();
            }
            at += f.len;
        }
    }

    /// What is no packet may be one to a client of MQTT 3.1: the packet, or `Some(None)` while it
    /// is incomplete. `None`: the connection has failed.
    #[cold]
    #[inline(never)]
    fn repeat_of_v31<'b>(
        &mut self,
        id: LinkId,
        bytes: &'b [u8],
        wrong: Wrong,
    ) -> Option<Option<Frame<'b>>> {
        let packet_max = self.homes.limits.packet_bytes_max;
        let old = self.homes.links.at(id.slot).is_some_and(|l| l.flags.mq_isdp);
        let found = if old { frame_v31(bytes, packet_max) } else { Err(wrong) };
        found.map_err(|wrong| self.fail(id, wrong, None)).ok()
    }

    /// How many bytes may be read at once: little, until we know who it is.
    pub fn read_max(&self, id: LinkId) -> Option<usize> {
        let l = self.homes.links.get(id.slot, id.generation)?;
        match l.phase {
            Phase::Attached(_) => None,
            _ => Some(self.homes.limits.first_read_bytes_max),
        }
    }

    /// Whether the connection's bytes are wanted.
    pub fn wants_input(&self, id: LinkId) -> bool {
        self.homes.links.get(id.slot, id.generation).is_some_and(|l| l.reads())
    }

    #[inline]
    fn packet(&mut self, id: LinkId, f: Frame<'_>, whole: Whole<'_>) -> Result<(), Wrong> {
        let Some(l) = self.homes.links.at(id.slot) else { return Ok(()) };
        let link = id.slot;
        let opening = matches!(l.phase, Phase::Opening(_));
        // Whatever else is wrong with a second CONNECT does not matter.
        let packet = match (opening, f.first >> 4) {
            (true, _) => first(f)?,
            (false, CONNECT) => return Err(SECOND_CONNECT),
            (false, _) => decode(f, l.version)?,
        };
        match packet {
            Packet::Publish(p) => return self.on_publish(link, &p, whole),
            Packet::PubAck(a) => return self.on_puback(link, &a),
            Packet::PubRec(a) => self.on_pubrec(link, &a),
            Packet::PubRel(a) => self.on_pubrel(link, &a),
            Packet::PubComp(a) => self.on_pubcomp(link, &a),
            Packet::Subscribe(s) => return self.on_subscribe(link, &s),
            Packet::Unsubscribe(u) => self.on_unsubscribe(link, &u),
            Packet::PingReq => self.on_ping(link),
            Packet::Disconnect(d) => self.on_disconnect(link, &d),
            Packet::Auth(a) => return self.on_auth(id, &a),
            Packet::Connect(c) => self.on_connect(link, &c),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                return Err(NOT_FOR_SERVERS);
            }
        }
        Ok(())
    }

    fn on_ping(&mut self, link: u32) {
        if let Some(out) = self.homes.output(link) {
            out.extend_from_slice(&PINGRESP);
        }
    }

    /// AUTH on an open connection: re-authentication (MQTT 5, 4.12.1). Traffic goes on meanwhile.
    fn on_auth(&mut self, id: LinkId, a: &Auth<'_>) -> Result<(), Wrong> {
        let Some((l, _, session)) = self.homes.attached(id.slot) else { return Ok(()) };
        if session.device.is_some() {
            return self.on_device_auth(id, a);
        }
        let Some(extra) = l.extra.as_mut().filter(|e| e.method.is_some()) else {
            return Err(NO_METHOD);
        };
        if extra.method.as_deref() != a.method {
            return Err(OTHER_METHOD);
        }
        if a.reason != Reason::RE_AUTHENTICATE || extra.renewing {
            return Err(NO_EXCHANGE);
        }
        extra.renewing = true;
        let request = Box::new(AuthRequest {
            client_id: session.client.as_str().to_owned(),
            user_name: None,
            password: None,
            method: a.method.map(str::to_owned),
            data: a.data.unwrap_or_default().to_vec(),
            certificate: None,
            listener: l.listener,
            renewal_of: Some(Arc::clone(&session.principal.name)),
        });
        self.homes.effects.push(Effect::Authenticate(id, request));
        Ok(())
    }

    /// The answer to a re-authentication.
    pub(crate) fn renewed(&mut self, id: LinkId, outcome: AuthOutcome) {
        let Some((_, slot, session)) = self.homes.attached(id.slot) else { return };
        let client = session.client.as_str().to_owned();
        match outcome {
            AuthOutcome::Refused { reason, why, rule } => {
                self.homes.refused(&client, reason, rule, why);
                self.disconnect(id.slot, reason, "re-authentication was refused");
            }
            AuthOutcome::Granted(principal) => {
                session.principal = Arc::clone(&principal);
                let mut method = String::new();
                if let Some(extra) = self.extra(id.slot) {
                    extra.renewing = false;
                    extra.expires_at_ms = principal.expires_at_ms;
                    method = extra.method.as_deref().unwrap_or_default().to_owned();
                }
                if let Some(at) = principal.expires_at_ms {
                    self.homes.arm(Timer::Token(id.slot), at);
                }
                let max = self.packet_max(id.slot);
                let auth = AuthOut {
                    reason: Reason::SUCCESS,
                    method: &method,
                    data: None,
                    diagnostics: Diagnostics::NONE,
                };
                if let Some(out) = self.homes.output(id.slot) {
                    let _ = auth.encode(max, out);
                }
                self.rights_changed(slot, &principal);
            }
        }
    }

    /// What carries the MQTT bytes found something wrong: as if it were in a packet.
    pub fn refuse(&mut self, id: LinkId, wrong: Wrong) {
        let Some(l) = self.homes.links.get(id.slot, id.generation) else { return };
        if !matches!(l.phase, Phase::Closing) {
            self.fail(id, wrong, None);
        }
    }

    /// Whether a connection that we close ends because its peer broke the protocol.
    pub fn broke_protocol(&self, id: LinkId) -> bool {
        self.homes.links.get(id.slot, id.generation).is_some_and(|l| l.flags.broken)
    }

    /// The peer did something wrong: said in the way its version and state allow, then closed.
    fn fail(&mut self, id: LinkId, wrong: Wrong, f: Option<Frame<'_>>) {
        self.homes.counters.protocol_errors.add(1);
        if let Some(l) = self.homes.links.at_mut(id.slot) {
            l.flags.broken = true;
        }
        let client = self.homes.client_of(id.slot);
        self.homes.refused(&client, wrong.reason, wrong.clause, wrong.what.to_owned());
        let opening = self
            .homes
            .links
            .at(id.slot)
            .is_some_and(|l| !matches!(l.phase, Phase::Attached(_) | Phase::Closing));
        if !opening {
            return self.disconnect(id.slot, wrong.reason, wrong.what);
        }
        // Only a CONNECT is answered by CONNACK, in the version that it claims.
        if let Some(f) = f.filter(|f| f.first >> 4 == CONNECT)
            && let Some(version) = answering(f.body, wrong)
        {
            self.homes.counters.connects_refused.add(1);
            let mut ack = ConnAckOut::new(wrong.reason);
            ack.diagnostics = Diagnostics { reason_string: Some(wrong.what), user: &[] };
            if let Some(out) = self.homes.output(id.slot) {
                let _ = ack.encode(version, usize::MAX, out);
            }
        }
        self.homes.close(id.slot, Linger::UntilRead);
    }
}

/// The first packet must be CONNECT (3.1.0-1).
fn first(f: Frame<'_>) -> Result<Packet<'_>, Wrong> {
    if f.first >> 4 == CONNECT { decode(f, Version::V5) } else { Err(CONNECT_FIRST) }
}

/// The form of CONNACK for a CONNECT that failed; none where 3.1.1 just closes.
fn answering(body: &[u8], wrong: Wrong) -> Option<Version> {
    match Connect::peek_version(body) {
        Some(level) if level >= 5 => Some(Version::V5),
        Some(3 | 4) if wrong.reason == Reason::MALFORMED_PACKET => None,
        Some(3 | 4) if wrong.reason == Reason::PROTOCOL_ERROR => None,
        Some(_) => Some(Version::V311),
        None => None,
    }
}

/// The packet type of CONNECT.
const CONNECT: u8 = 1;
const CONNECT_FIRST: Wrong =
    Wrong::protocol("MQTT 5, 3.1.0-1", "the first packet of a connection is CONNECT");
const SECOND_CONNECT: Wrong =
    Wrong::protocol("MQTT 5, 3.1.0-2", "a second CONNECT on the same connection");
const NOT_FOR_SERVERS: Wrong =
    Wrong::protocol("MQTT 5, 2.1.2", "a packet that only a server sends");
const NO_METHOD: Wrong =
    Wrong::protocol("MQTT 5, 4.12.0-7", "AUTH without an Authentication Method in CONNECT");
const OTHER_METHOD: Wrong = Wrong::new(
    Reason::BAD_AUTHENTICATION_METHOD,
    "MQTT 5, 4.12.1-1",
    "AUTH with another Authentication Method than CONNECT",
);
const NO_EXCHANGE: Wrong =
    Wrong::protocol("MQTT 5, 4.12.1", "AUTH that belongs to no authentication exchange");
