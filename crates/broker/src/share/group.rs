//! One group: its members, their credit, and the messages that wait for one of them.

use super::turns::{Line, Turns};
use super::{Handout, Join, MemberId, Offer, Presence, Tries};
use crate::limits::{Limits, QueueFull};
use crate::publication::Publication;
use crate::subscription::{FilterId, ReceiverOptions};
use mqtt::qos::QoS;
use std::collections::VecDeque;
use std::sync::Arc;

/// A group at its home.
pub(super) struct Group {
    pub text: Arc<str>,
    pub filter: FilterId,
    members: Vec<Option<Member>>,
    free: Vec<u32>,
    turns: Turns,
    waiting: VecDeque<Arc<Publication>>,
    bytes: usize,
    /// Members that have not left.
    living: usize,
    /// Those of them with a grant above QoS 0.
    acknowledging: usize,
    /// In the list of groups that can go on.
    pub listed: bool,
}

struct Member {
    id: MemberId,
    options: ReceiverOptions,
    subscription_id: u32,
    state: State,
    /// Handed out at QoS > 0 and neither finished nor returned.
    under_way: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Living(Presence),
    /// It unsubscribed: what is under way to it goes on, nothing new comes.
    Left,
}

/// Whether a member is still known after a report.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    Still,
    /// It had left, and its last message was reported.
    Forgotten,
}

impl Group {
    pub fn new(text: Arc<str>, filter: FilterId) -> Self {
        Self {
            text,
            filter,
            members: Vec::new(),
            free: Vec::new(),
            turns: Turns::default(),
            waiting: VecDeque::new(),
            bytes: 0,
            living: 0,
            acknowledging: 0,
            listed: false,
        }
    }

    /// A new member; gives its place.
    pub fn add(&mut self, j: &Join) -> u32 {
        let member = Member {
            id: j.member,
            options: j.options,
            subscription_id: j.subscription_id,
            state: State::Living(Presence::Here { window: j.window }),
            under_way: 0,
        };
        self.living += 1;
        self.acknowledging += usize::from(member.acknowledges());
        let place = self.free.pop().unwrap_or_else(|| {
            self.members.push(None);
            // A member costs more bytes than there are numbers left in a u32.
            self.members.len() as u32 - 1
        });
        self.members[place as usize] = Some(member);
        self.line_up(place);
        place
    }

    /// A member subscribed again: its options are replaced, its messages stay.
    pub fn replace(&mut self, place: u32, j: &Join) {
        let Some(m) = self.at(place) else { return };
        if m.state == State::Left {
            return;
        }
        let before = usize::from(m.acknowledges());
        m.options = j.options;
        m.subscription_id = j.subscription_id;
        let after = usize::from(m.acknowledges());
        self.acknowledging = self.acknowledging + after - before;
        self.line_up(place);
    }

    /// A member came, went or stands still.
    pub fn set(&mut self, place: u32, presence: Presence) {
        let Some(m) = self.at(place) else { return };
        if m.state != State::Left {
            m.state = State::Living(presence);
            self.line_up(place);
        }
    }

    /// A member leaves.
    pub fn leave(&mut self, place: u32) -> Known {
        let Some(m) = self.at(place) else { return Known::Still };
        if m.state != State::Left {
            m.state = State::Left;
            let acknowledges = usize::from(m.acknowledges());
            self.living -= 1;
            self.acknowledging -= acknowledges;
        }
        self.line_up(place);
        self.forget_if_over(place)
    }

    /// So many messages of the member are over.
    pub fn finished(&mut self, place: u32, count: u32) -> Known {
        let Some(m) = self.at(place) else { return Known::Still };
        m.under_way = m.under_way.saturating_sub(count);
        self.line_up(place);
        self.forget_if_over(place)
    }

    /// Messages that the member did not get, oldest first, wait before all others.
    pub fn unpop(&mut self, all: Vec<Arc<Publication>>) {
        for publication in all.into_iter().rev() {
            self.bytes += publication.bytes();
            self.waiting.push_front(publication);
        }
    }

    /// A new message.
    pub fn offer(&mut self, p: Arc<Publication>, limits: &Limits) -> Offer {
        let keeps = p.message.qos() > QoS::AtMostOnce && self.acknowledging > 0;
        if keeps {
            return match self.turns.first(Line::Ready, None) {
                Some(place) if self.waiting.is_empty() => {
                    Offer::Hand(self.hand(place, p, Tries::First))
                }
                _ => Offer::Waits { dropped: self.queue(p, limits) },
            };
        }
        match self.pass(p, None, Tries::First) {
            Some(handout) => Offer::Hand(handout),
            None => Offer::Nobody,
        }
    }

    /// Somebody but `from` for a QoS 0 message; one who is ready before one who is not.
    pub fn pass(
        &mut self,
        p: Arc<Publication>,
        from: Option<u32>,
        tries: Tries,
    ) -> Option<Handout> {
        let ready = self.turns.first(Line::Ready, from);
        let place = ready.or_else(|| self.turns.first(Line::Busy, from))?;
        Some(self.hand(place, p, tries))
    }

    /// The next message that waits, for whoever's turn it is; counts those that have expired.
    pub fn next(&mut self, now_ms: u64, expired: &mut u64) -> Option<Handout> {
        loop {
            let place = self.turns.first(Line::Ready, None)?;
            let publication = self.pop()?;
            if !publication.expired(now_ms) {
                return Some(self.hand(place, publication, Tries::First));
            }
            *expired += 1;
        }
    }

    /// Whether a message waits and somebody can take it.
    pub fn can_go_on(&self) -> bool {
        !self.waiting.is_empty() && self.turns.first(Line::Ready, None).is_some()
    }

    /// Whether the queue takes no more, once these messages and their bytes are in it that come
    /// before; if somebody takes what comes they are not.
    pub fn is_full(&self, limits: &Limits, coming: (usize, usize)) -> bool {
        let is_taken = self.turns.first(Line::Ready, None).is_some();
        let (messages, bytes) = if is_taken { (0, 0) } else { coming };
        self.waiting.len() + messages >= limits.session_queue_messages_max
            || self.bytes + bytes >= limits.session_queue_bytes_max
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes of what waits.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops the oldest message; false if none waits.
    pub fn shed(&mut self) -> bool {
        self.pop().is_some()
    }

    /// Whether nobody is left.
    pub fn is_over(&self) -> bool {
        self.living == 0
    }

    /// Whether a QoS > 0 message will be acknowledged by somebody.
    pub fn acknowledges(&self) -> bool {
        self.acknowledging > 0
    }

    /// Everybody who is known, those that have left included.
    pub fn known(&self) -> impl Iterator<Item = MemberId> {
        self.members.iter().flatten().map(|m| m.id)
    }

    fn hand(&mut self, place: u32, publication: Arc<Publication>, tries: Tries) -> Handout {
        let m = self.at(place).expect("only members stand in a line");
        let qos = publication.message.qos().min(m.options.qos());
        m.under_way += u32::from(qos > QoS::AtMostOnce);
        let retain = publication.message.retain() && m.options.retain_as_published();
        let (member, subscription_id) = (m.id, m.subscription_id);
        let line = m.line();
        self.turns.put(place, line);
        Handout { member, publication, qos, retain, subscription_id, tries }
    }

    /// Puts a message at the end; gives how many went for want of room.
    fn queue(&mut self, p: Arc<Publication>, limits: &Limits) -> usize {
        let (count_max, bytes_max) =
            (limits.session_queue_messages_max, limits.session_queue_bytes_max);
        let fits = self.waiting.len() < count_max && self.bytes + p.bytes() <= bytes_max;
        let newest_goes = match limits.queue_full {
            QueueFull::DropNewest | QueueFull::Refuse => true,
            // A group has nobody whose session could end for it. What could not stay even alone
            // need not push out others.
            QueueFull::DropOldest | QueueFull::EndSession => p.bytes() > bytes_max,
        };
        if !fits && newest_goes {
            return 1;
        }
        self.bytes += p.bytes();
        self.waiting.push_back(p);
        let mut dropped = 0;
        while self.waiting.len() > count_max || self.bytes > bytes_max {
            if self.pop().is_none() {
                break;
            }
            dropped += 1;
        }
        dropped
    }

    fn pop(&mut self) -> Option<Arc<Publication>> {
        let publication = self.waiting.pop_front()?;
        self.bytes -= publication.bytes();
        Some(publication)
    }

    /// Puts the member in the line of its state; one that stays in its line keeps its turn.
    fn line_up(&mut self, place: u32) {
        let Some(m) = self.at(place) else { return };
        let line = m.line();
        if self.turns.line_of(place) != line {
            self.turns.put(place, line);
        }
    }

    fn forget_if_over(&mut self, place: u32) -> Known {
        let slot = &mut self.members[place as usize];
        if !slot.as_ref().is_some_and(|m| m.state == State::Left && m.under_way == 0) {
            return Known::Still;
        }
        *slot = None;
        self.free.push(place);
        Known::Forgotten
    }

    fn at(&mut self, place: u32) -> Option<&mut Member> {
        self.members.get_mut(place as usize)?.as_mut()
    }
}

impl Member {
    fn acknowledges(&self) -> bool {
        self.options.qos() > QoS::AtMostOnce
    }

    fn line(&self) -> Line {
        match self.state {
            State::Living(Presence::Here { window }) => {
                let credit = !self.acknowledges() || self.under_way < u32::from(window);
                if credit { Line::Ready } else { Line::Busy }
            }
            State::Living(Presence::Stalled) => Line::Busy,
            State::Living(Presence::Away) | State::Left => Line::Out,
        }
    }
}
