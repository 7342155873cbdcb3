//! Turns of reactors, commits and reads in a world, until there is nothing more to do.

use super::super::client::{self, Heard};
use super::{At, Moment, OPTIONS, World};
use engine::Step;
use mqtt::wire::AckKind;
use node::effect::Effect;
use node::post::Post;
use node::record::settle;
use node::{Shard, answer};

impl World {
    /// Everything that can happen without time happens, or the power goes.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.is_dark() {
                return;
            }
            let mut busy = false;
            for n in 0..self.shards.len() {
                busy |= self.turn(n);
            }
            busy |= self.commit();
            if self.is_dark() {
                return;
            }
            busy |= self.read_all();
            if !busy && self.posts.iter().all(Vec::is_empty) {
                return;
            }
        }
        let waits: Vec<_> = self.shards.iter().map(Shard::wait_ms).collect();
        let posts: Vec<_> = self.posts.iter().map(Vec::len).collect();
        panic!("no rest: waits {waits:?}, posts {posts:?}");
    }

    fn turn(&mut self, n: usize) -> bool {
        self.shards[n].begin(self.now, 0);
        for post in std::mem::take(&mut self.posts[n]) {
            self.shards[n].post_in(post);
        }
        loop {
            self.shards[n].end();
            let mut effects = Vec::new();
            self.shards[n].take_effects(&mut effects);
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                match effect {
                    Effect::Read(job) => self.posts[n].push(answer(&self.reader, *job)),
                    Effect::Close(id, _) => self.shards[n].forget(id),
                    _ => {}
                }
            }
        }
        for (to, posts) in self.posts.iter_mut().enumerate() {
            posts.extend(self.shards[n].take_post(to).map(Post::Publishes));
        }
        self.shards[n].wait_ms() == Some(0)
    }

    fn commit(&mut self) -> bool {
        let Self { committer, retained, interest, keys, posts, now, .. } = self;
        let step = committer.step(
            |fact, needs| settle(fact, needs, retained, interest, keys, now.wall_ms),
            |reactor, facts| posts[reactor].push(Post::Facts(facts)),
        );
        if self.moments.is_some() || self.power.is_some() {
            self.cleaner.clean(OPTIONS.segment_bytes).unwrap();
        }
        if let (Step::Committed(_), Some(moments)) = (&step, &mut self.moments) {
            let name = format!("commit {} at {} ms", moments.len(), self.now.mono_ms);
            moments.push(Moment { name, files: self.disk.contents() });
        }
        if let (Step::Committed(_), Some(left)) = (&step, &mut self.power) {
            *left = left.saturating_sub(1);
        }
        !matches!(step, Step::Idle)
    }

    /// Clients read what waits for them, and end QoS 2 as they should.
    fn read_all(&mut self) -> bool {
        let mut busy = false;
        for (name, At(reactor, link)) in self.clients.clone() {
            let bytes = self.shards[reactor].output(link.slot).to_vec();
            self.shards[reactor].taken(link.slot, bytes.len());
            for one in client::heard(&bytes) {
                match one {
                    Heard::Publish(got) => {
                        self.account.take(&name, &got);
                        self.inbox.entry(name.clone()).or_default().push(got);
                    }
                    Heard::PubAck(id) => self.account.accept(id),
                    Heard::PubRel(id) => {
                        busy = true;
                        self.account.release(&name, id);
                        let done = client::answer(AckKind::PubComp, id);
                        self.input(At(reactor, link), &done);
                    }
                    Heard::PubRec(id) => {
                        busy = true;
                        self.account.accept(id);
                        let next = client::answer(AckKind::PubRel, id);
                        self.input(At(reactor, link), &next);
                    }
                    Heard::Other => {}
                }
            }
        }
        busy
    }
}
