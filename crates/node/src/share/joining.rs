//! SUBSCRIBE and UNSUBSCRIBE of shared filters, behind the checks that all filters share.
//!
//! Owns where a group is at home, and that publishes are sent there as long as somebody is in it.

use super::Mail;
use super::membership::{Former, Membership};
use crate::shard::Shard;
use broker::share::{Join, MemberId};
use broker::subscription::ReceiverOptions;
use mqtt::qos::QoS;
use mqtt::topic::{SharedFilter, TopicFilter};
use std::sync::Arc;
use store::log::StreamId;
use store::op::Sequence;

impl Shard {
    /// The session becomes a member of the group, or gets new options. Whatever is published
    /// after the SUBACK finds it there.
    pub(crate) fn join(
        &mut self,
        slot: u32,
        text: &str,
        filter: TopicFilter<'_>,
        options: (ReceiverOptions, u32),
        stream: Option<StreamId>,
    ) -> MemberId {
        let since = Sequence(self.heard.up_to);
        self.join_since(slot, text, filter, options, stream.map(|stream| (stream, since)))
    }

    /// The same for one that has been granted before: its stream, and the log's end at that time.
    pub(crate) fn join_since(
        &mut self,
        slot: u32,
        text: &str,
        filter: TopicFilter<'_>,
        (options, subscription_id): (ReceiverOptions, u32),
        kept: Option<(StreamId, Sequence)>,
    ) -> MemberId {
        let home = self.home_of(text);
        let text: Arc<str> = text.into();
        let (stream, since) = match kept {
            Some((stream, since)) => (Some(stream), since),
            None => (None, Sequence(self.heard.up_to)),
        };
        let membership = Membership { slot, options, subscription_id, stream, since };
        let (member, is_new) = self.homes.become_member(&text, home, membership);
        let window = self.homes.sessions.at(slot).map_or(0, |s| s.window);
        let (stream, since) = match self.homes.shares.stream_of(member).filter(|_| self.keeps()) {
            Some((stream, since)) => (Some(stream), since),
            None => (None, since),
        };
        let join = Join { member, text, options, subscription_id, window, stream, since };
        self.router.join(home, filter.as_str(), join);
        if is_new {
            self.router.want_at(home, filter.as_str());
        }
        self.homes.shares.mail.push((member, Mail::Joined));
        member
    }

    /// The session leaves the group; false if it was not in it.
    pub(crate) fn leave(&mut self, slot: u32, text: &str) -> bool {
        self.let_go(slot, text, self.member_at(slot, text));
        let Some(Former { member, text }) = self.homes.end_membership(slot, text) else {
            return false;
        };
        self.tell_held();
        if let Ok(Some(shared)) = SharedFilter::parse(&text) {
            self.router.unwant_at(member.home(), shared.filter.as_str());
        }
        // A group that is here gives it nothing more, from its next packet on.
        self.send_share_mail();
        true
    }

    /// Ends the memberships of a session whose filter `keep` refuses. Gives them as subscribed.
    pub(crate) fn leave_all(
        &mut self,
        slot: u32,
        keep: &impl Fn(&Self, &str) -> bool,
    ) -> Vec<Box<str>> {
        let shares = self.homes.sessions.at(slot).and_then(|s| s.shares.as_ref());
        let Some(shares) = shares else { return Vec::new() };
        let texts: Vec<Arc<str>> = shares.members.keys().cloned().collect();
        let mut left = Vec::new();
        for text in texts {
            let filter = SharedFilter::parse(&text).ok().flatten().map(|s| s.filter);
            if !filter.is_some_and(|f| keep(self, f.as_str())) {
                self.leave(slot, &text);
                left.push((*text).into());
            }
        }
        left
    }

    /// The QoS granted to the session as a member of this group, if it is one.
    pub(crate) fn member_at(&self, slot: u32, text: &str) -> Option<QoS> {
        let shares = self.homes.sessions.at(slot)?.shares.as_ref()?;
        shares.members.get(text).map(|member| self.homes.shares.granted(*member))
    }
}
