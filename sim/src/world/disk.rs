//! The log of a seed: it is written, read and cleaned at moments of its own, its disk fails, and
//! the server crashes and starts again on what is left.

use super::Parcel;
use super::World;
use super::server::Server;
use crate::keeping::{Health, Keeping, Logged, Opened};
use crate::socket::Place;
use crashdisk::{CrashDisk, Fault};
use engine::Step;
use node::post::Post;
use std::collections::BTreeSet;

/// How a server ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// The power goes.
    Crash,
    /// In order.
    Stop,
}

impl World {
    /// The log's threads do something.
    pub(super) fn work_on_log(&mut self) {
        match self.chance.below(100) {
            0..60 => {
                self.commit();
            }
            60..85 => {
                self.answer_read();
            }
            85..93 => self.clean(),
            93..96 => {
                if let Some(log) = self.keeping.log() {
                    log.make_spare();
                }
            }
            _ => self.spoil(),
        }
    }

    /// What is rare.
    fn spoil(&mut self) {
        let Some(odds) = &self.swarm.log else { return };
        let (c, Some(log)) = (&mut self.chance, self.keeping.log()) else { return };
        let after = c.below(10) as u64;
        let step = self.step;
        if c.one_in(odds.full) {
            let calls = 1 + c.below(30) as u64;
            log.plan(after, Fault::Full(calls));
            self.trace.note(&[1], || format!("{step:>6} the disk will be full"));
        }
        if c.one_in(odds.broken) {
            log.plan(after, Fault::Broken);
            self.trace.note(&[2], || format!("{step:>6} a call of the disk will fail"));
        }
        if c.one_in(odds.stop) {
            return self.restart(End::Stop);
        }
        // One that is read-only has to be started again some time.
        let failed = log.health == Health::Failed;
        if c.one_in(odds.crash) || (failed && c.one_in(4)) {
            self.restart(End::Crash);
        }
    }

    /// One commit; whether there was anything to do.
    pub(super) fn commit(&mut self) -> bool {
        let Some(log) = self.keeping.log() else { return false };
        let Server { retained, interest, keys, .. } = &self.server;
        let (did, told) = log.commit(retained, interest, keys, self.now.wall_ms);
        let step = self.step;
        let count = match &did {
            Step::Idle => 0,
            Step::Committed(count) | Step::Refused(count, _) => *count,
        };
        self.trace.note(&[count], || format!("{step:>6} commit: {did:?}"));
        for (reactor, facts) in told {
            self.inboxes[reactor].push(Parcel::Post(Post::Facts(facts)));
        }
        !matches!(did, Step::Idle)
    }

    /// Answers the oldest read; whether there was one.
    pub(super) fn answer_read(&mut self) -> bool {
        let Some((reactor, post)) = self.keeping.log().and_then(Logged::read) else {
            return false;
        };
        let step = self.step;
        self.trace.note(&[reactor], || format!("{step:>6} a read of reactor {reactor}"));
        self.inboxes[reactor].push(Parcel::Post(post));
        true
    }

    fn clean(&mut self) {
        let Some(log) = self.keeping.log() else { return };
        match log.clean(&mut self.chance) {
            Ok(written) => {
                let step = self.step;
                self.trace.note(&[written as usize], || format!("{step:>6} cleaned: {written}"));
            }
            Err(why) => self.ledger.fail(|| why),
        }
    }

    /// The server ends and is started again on what the disk has.
    pub(super) fn restart(&mut self, end: End) {
        let step = self.step;
        self.trace.note(&[end as usize], || format!("{step:>6} the server ends: {end:?}"));
        match end {
            End::Crash => self.lose_power(),
            End::Stop => self.stop(),
        }
        let Some(log) = self.keeping.log() else { return };
        let disk = log.disk().clone();
        self.cut_everybody();
        match end {
            End::Crash => disk.crash(),
            End::Stop => disk.mend(),
        }
        let (real, domain) = (self.chance.below(3_000), self.chance.below(3_000));
        self.pass(real as u64, domain as u64);
        match self.open(&disk) {
            Ok((log, opened)) => self.start(log, opened),
            Err(why) => self.ledger.fail(|| why),
        }
        self.check_retained();
    }

    /// Perhaps in the middle of a commit, of which nobody hears.
    fn lose_power(&mut self) {
        let Some(log) = self.keeping.log() else { return };
        if self.chance.one_in(2) {
            log.plan(self.chance.below(5) as u64, Fault::PowerLoss);
            let Server { retained, interest, keys, .. } = &self.server;
            log.commit(retained, interest, keys, self.now.wall_ms);
        }
    }

    /// Everybody is told, and what was submitted is written.
    fn stop(&mut self) {
        for n in 0..self.swarm.reactors {
            self.turn(n);
            self.server.shards[n].shut_down();
        }
        for _ in 0..STOP_ROUNDS {
            for n in 0..self.swarm.reactors {
                self.turn(n);
            }
            while self.commit() {}
        }
    }

    /// What was under way to clients arrives, or a part of it; nothing else of the process is left.
    fn cut_everybody(&mut self) {
        for socket in &mut self.sockets {
            if socket.place == Place::Gone {
                continue;
            }
            let arrives = self.chance.below(socket.to_client.len() + 1);
            socket.to_client.truncate(arrives);
            socket.drop_place();
        }
        self.inboxes.iter_mut().for_each(Vec::clear);
        self.effects.iter_mut().for_each(Vec::clear);
        self.turns.iter_mut().for_each(|turn| *turn = None);
        self.dirty.iter_mut().for_each(BTreeSet::clear);
        self.seats.clear();
        self.asked.clear();
        self.notices = 0;
        self.promises.all_alone();
    }

    /// Opens the log; the power may go meanwhile.
    fn open(&mut self, disk: &CrashDisk) -> Result<(Box<Logged>, Opened), String> {
        if !self.healed && self.chance.one_in(4) {
            disk.plan(self.chance.below(6) as u64, Fault::PowerLoss);
            // Whatever came of it is lost again.
            drop(Logged::open(disk));
            disk.crash();
        }
        Logged::open(disk)
    }

    fn start(&mut self, log: Box<Logged>, opened: Opened) {
        let clock_ms = opened.found.clock_ms;
        // The domain clock never goes back.
        if clock_ms > self.now.wall_ms {
            let (has, was) = (clock_ms, self.now.wall_ms);
            self.ledger.fail(|| format!("the log says it is {has}, and it is {was}"));
        }
        self.keeping = Keeping::Log(log);
        self.server = Server::new(&self.swarm, &self.keeping, Some(&opened));
        self.server.restore(opened, &self.authority, self.now);
        let told = self.keeping.log().map(|log| log.begin());
        for (reactor, facts) in told.into_iter().flatten() {
            self.inboxes[reactor].push(Parcel::Post(Post::Facts(facts)));
        }
    }

    /// Each topic retains what was acknowledged last, or something later.
    pub(super) fn check_retained(&mut self) {
        for topic in self.swarm.topics {
            let has = self.server.retained.get(topic, self.now.wall_ms);
            let payload = has.as_ref().map(|p| p.message.payload());
            if let Err(why) = self.promises.check_retained(topic, payload) {
                self.ledger.fail(|| why);
            }
        }
    }
}

/// More than what waits needs to be written and told.
const STOP_ROUNDS: usize = 4;
