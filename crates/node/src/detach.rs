//! The end of a connection and the end of a session.

use crate::counters::Loss;
use crate::effect::{Linger, Notice};
use crate::link::LinkId;
use crate::link::Phase;
use crate::session::State;
use crate::shard::Shard;
use crate::timers::Timer;
use mqtt::reason::Reason;
use mqtt::wire::{Diagnostics, Disconnect, DisconnectOut, Version};

/// What becomes of the will when a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WillFate {
    /// A normal DISCONNECT (3.14.4-3), or a planned stop.
    Dropped,
    /// Everything else.
    Sent,
}

impl Shard {
    /// DISCONNECT from the client.
    pub(crate) fn on_disconnect(&mut self, link: u32, d: &Disconnect<'_>) {
        let max = self.homes.limits.session_expiry_max_s;
        let Some((_, slot, session)) = self.homes.attached(link) else { return };
        if let Some(expiry_s) = d.session_expiry {
            if session.expiry_s == 0 && expiry_s > 0 {
                let why = "a session that began with expiry 0 cannot be made to last";
                return self.disconnect(link, Reason::PROTOCOL_ERROR, why);
            }
            let expiry_s = expiry_s.min(max);
            if expiry_s == 0 && self.durable(slot).is_none() {
                self.let_go_all(slot);
            }
            if let Some(session) = self.homes.sessions.at_mut(slot) {
                session.expiry_s = expiry_s;
            }
        }
        let fate = match d.reason {
            Reason::NORMAL_DISCONNECTION => WillFate::Dropped,
            _ => WillFate::Sent,
        };
        self.detach(link, fate, "the client disconnected");
        self.homes.close(link, Linger::No);
    }

    /// The socket is gone: closed, reset, or broken.
    pub fn lost(&mut self, id: LinkId) {
        if self.homes.links.get(id.slot, id.generation).is_none() {
            return;
        }
        self.end_without_disconnect(id.slot, "the connection was lost");
        self.forget(id);
    }

    /// The peer says by other means than MQTT that it goes (a WebSocket's Close): lost, only that
    /// what waits is still written.
    pub fn hung_up(&mut self, id: LinkId) {
        let Some(l) = self.homes.links.get(id.slot, id.generation) else { return };
        if !matches!(l.phase, Phase::Closing) {
            self.end_without_disconnect(id.slot, "the client hung up without DISCONNECT");
            self.homes.close(id.slot, Linger::UntilRead);
        }
    }

    fn end_without_disconnect(&mut self, link: u32, why: &'static str) {
        if matches!(self.homes.links.at(link).map(|l| &l.phase), Some(Phase::Attached(_))) {
            self.homes.counters.connections_lost.add(1);
        }
        self.detach(link, WillFate::Sent, why);
    }

    /// The outer loop has closed the connection.
    pub fn forget(&mut self, id: LinkId) {
        if let Some(l) = self.homes.links.get_mut(id.slot, id.generation) {
            l.output.discard(&mut self.homes.pool);
            self.homes.meter.alias_bytes -= l.aliases.bytes();
            for why in l.pauses() {
                self.homes.counters.paused[why.place()].sub(1);
            }
            self.homes.links.remove(id.slot);
        }
    }

    /// Tells a client of MQTT 5 why, then closes.
    pub(crate) fn disconnect(&mut self, link: u32, reason: Reason, why: &'static str) {
        let Some(l) = self.homes.links.at(link) else { return };
        let (version, attached) = (l.version, matches!(l.phase, Phase::Attached(_)));
        if matches!(l.phase, Phase::Closing) {
            return;
        }
        if version == Version::V5 && attached {
            let mut d = DisconnectOut::new(reason);
            d.diagnostics = Diagnostics { reason_string: Some(why), user: &[] };
            let max = self.packet_max(link);
            if let Some(out) = self.homes.output(link) {
                let _ = d.encode(version, max, out);
            }
        }
        let fate = match reason {
            Reason::SERVER_SHUTTING_DOWN => WillFate::Dropped,
            _ => WillFate::Sent,
        };
        self.detach(link, fate, why);
        self.homes.close(link, Linger::UntilRead);
    }

    /// The session has no connection from here on; one without expiry ends.
    pub(crate) fn detach(&mut self, link: u32, fate: WillFate, why: &'static str) {
        let now_ms = self.homes.now.wall_ms;
        self.attaching_lost(link);
        let Some((l, slot, session)) = self.homes.attached(link) else { return };
        l.phase = Phase::Closing;
        if session.device.is_some() {
            let id = self.homes.link_id(link);
            self.device_left(slot, id);
        }
        let Some(session) = self.homes.sessions.at_mut(slot) else { return };
        let client = session.client.as_str().to_owned();
        if fate == WillFate::Dropped {
            session.will = None;
        }
        let (expiry_s, delay_s) = (session.expiry_s, session.will.as_ref().map(|w| w.delay_s));
        let ends_at_ms = session.ends_after(now_ms);
        let will_at_ms = delay_s.map_or(u64::MAX, |delay_s| match delay_s {
            u32::MAX => u64::MAX,
            s => now_ms.saturating_add(u64::from(s) * 1_000),
        });
        session.state = State::Detached { ends_at_ms, will_at_ms };
        self.homes.notice(Notice::Disconnected { client, why });
        if expiry_s == 0 {
            return self.end_session(slot);
        }
        self.homes.leave_groups_waiting(slot);
        if delay_s == Some(0) {
            self.send_will(slot);
        }
        self.give_back(slot);
        self.keep_detached(slot);
        self.homes.arm(Timer::Session(slot), ends_at_ms.min(will_at_ms));
    }

    /// A session's deadline may have passed.
    pub(crate) fn session_due(&mut self, slot: u32) {
        let Some(s) = self.homes.sessions.at(slot) else { return };
        let State::Detached { ends_at_ms, will_at_ms } = s.state else { return };
        let now_ms = self.homes.now.wall_ms;
        if ends_at_ms <= now_ms {
            self.homes.counters.sessions_expired.add(1);
            return self.end_session(slot);
        }
        if will_at_ms <= now_ms {
            self.send_will(slot);
            if let Some(s) = self.homes.sessions.at_mut(slot) {
                s.state = State::Detached { ends_at_ms, will_at_ms: u64::MAX };
            }
            self.keep_detached(slot);
            return self.homes.arm(Timer::Session(slot), ends_at_ms);
        }
        self.homes.arm(Timer::Session(slot), ends_at_ms.min(will_at_ms));
    }

    /// Ends a session: its will is due, its subscriptions and queue are gone.
    pub(crate) fn end_session(&mut self, slot: u32) {
        self.close_attaching(slot);
        self.send_will(slot);
        self.homes.give_up(slot);
        let waiting = self.homes.sessions.at(slot).map_or(0, |s| s.queued().0);
        self.keep_ended(slot);
        self.unsubscribe_all(slot, |_, _| false);
        if self.homes.remove_session(slot).is_some() {
            self.homes.counters.lose_many(Loss::SessionEnded, waiting as u64);
        }
    }

    /// Who waits for CONNACK of a session that ends has nothing to wait for.
    fn close_attaching(&mut self, slot: u32) {
        let Some(session) = self.homes.sessions.at(slot) else { return };
        let State::Attaching { link, .. } = session.state else { return };
        let phase = self.homes.links.at(link).map(|l| &l.phase);
        if matches!(phase, Some(Phase::Attaching(its, _)) if *its == slot) {
            self.attaching_lost(link);
            self.homes.close(link, Linger::No);
        }
    }

    /// A new connection for this session: the old one is told 0x8E (3.1.4-3), its will is sent
    /// unless the new connection came within the delay (3.1.3-9). `clean_start` ends the session.
    pub(crate) fn take_over(&mut self, slot: u32, clean_start: bool) {
        let Some(s) = self.homes.sessions.at_mut(slot) else { return };
        let durable = s.is_durable();
        let delayed = s.will.as_ref().is_some_and(|w| w.delay_s > 0);
        if let State::Attaching { link, .. } = s.state {
            // It has no CONNACK, so no DISCONNECT either (MQTT 5, 3.14.0-1).
            self.homes.counters.taken_over.add(1);
            self.attaching_lost(link);
            self.homes.close(link, Linger::No);
        } else if let State::Connected { link } = s.state {
            if !clean_start && durable && delayed {
                s.will = None;
            }
            self.homes.counters.taken_over.add(1);
            self.disconnect(link, Reason::SESSION_TAKEN_OVER, "another connection took over");
        }
        // `disconnect` ends a session without expiry.
        let Some(s) = self.homes.sessions.at_mut(slot) else { return };
        if clean_start {
            self.end_session(slot);
        } else {
            s.will = None;
        }
    }

    /// Ends the connections of sessions whose queue overflowed under `end-session`.
    pub(crate) fn end_overflowed(&mut self) {
        for session in self.homes.take_overflowed() {
            let Some(s) = self.homes.sessions.get(session.slot, session.generation) else {
                continue;
            };
            let client = s.client.as_str().to_owned();
            if let Some(link) = s.link() {
                let why = "the session's queue is full: acknowledge faster or raise its bound";
                self.disconnect(link, Reason::QUOTA_EXCEEDED, why);
            }
            let why = "session overflow";
            self.homes.notice(Notice::Disconnected { client, why });
            if self.homes.sessions.get(session.slot, session.generation).is_some() {
                self.end_session(session.slot);
            }
        }
    }

    /// Ends every connection: a planned stop (0x8B). Wills are not sent.
    pub fn shut_down(&mut self) {
        let links: Vec<u32> = self.homes.links.iter().map(|(slot, _)| slot).collect();
        for link in links {
            if matches!(self.homes.links.at(link).map(|l| &l.phase), Some(Phase::Attached(_))) {
                self.disconnect(link, Reason::SERVER_SHUTTING_DOWN, "the server shuts down");
            } else {
                // Closing from here on: an answer about credentials finds nobody to let in.
                self.homes.close(link, Linger::No);
            }
        }
        self.keep_progress();
        self.keep_clock();
    }
}
