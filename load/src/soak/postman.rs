//! HTTP Publish now and then, on a thread of its own because it blocks, and one client that
//! hears: what was answered with success arrives once, in order.

use super::role::{Balance, Role, Stage, ordinary};
use crate::engine::{Engine, Event, Heard, Key, Plan};
use crate::https::Https;
use crate::ledger::Track;
use crate::mark::Mark;
use mqtt::qos::QoS;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

/// Who posts and who hears.
pub struct Postman {
    id: u32,
    hearer: Key,
    subscribed: bool,
    track: Track,
    /// Sequences to post.
    orders: Sender<u64>,
    answers: Receiver<Result<(), String>>,
    ordered: u64,
    accepted: u64,
    refused: Vec<String>,
    due_us: u64,
}

impl Postman {
    /// With its client added to the engine and its thread waiting for orders.
    pub fn new(engine: &mut Engine, id: u32, plan: Plan, mut https: Https) -> Self {
        let (orders, ordered) = channel::<u64>();
        let (answer, answers) = channel();
        // It ends with its orders; what it posted last is answered by then or not wanted.
        std::thread::spawn(move || {
            for sequence in ordered {
                if answer.send(post(&mut https, id, sequence)).is_err() {
                    return;
                }
            }
        });
        Self {
            id,
            hearer: engine.add(plan),
            subscribed: false,
            track: Track::default(),
            orders,
            answers,
            ordered: 0,
            accepted: 0,
            refused: Vec::new(),
            due_us: 0,
        }
    }

    fn answered(&mut self) {
        loop {
            match self.answers.try_recv() {
                Ok(Ok(())) => self.accepted += 1,
                Ok(Err(why)) => self.refused.push(why),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }
}

fn post(https: &mut Https, id: u32, sequence: u64) -> Result<(), String> {
    let mut payload = Vec::new();
    Mark { stream: id, sequence, due_us: 0 }.write(100, &mut payload);
    let path = format!("/mqtt/messages?topic=soak%2F{id}%2Fpost&api-version=2025-08-01-preview");
    let headers = [("mqtt-qos", "1"), ("content-type", "application/octet-stream")];
    match https.post(&path, &headers, &payload) {
        Ok(answer) if answer.status / 100 == 2 => Ok(()),
        Ok(answer) => Err(format!("HTTP Publish: {} {}", answer.status, answer.text())),
        Err(error) => Err(format!("HTTP Publish: {error:#}")),
    }
}

impl Role for Postman {
    fn name(&self) -> &'static str {
        "HTTP Publish"
    }

    fn keys(&self) -> Vec<Key> {
        vec![self.hearer]
    }

    fn act(&mut self, engine: &mut Engine, stage: Stage, now_us: u64) {
        self.answered();
        if stage == Stage::Opening && !engine.has_socket(self.hearer) {
            engine.connect(self.hearer);
        }
        if stage == Stage::Running && now_us >= self.due_us {
            self.due_us = now_us + PERIOD_US;
            // The thread is there as long as we are.
            if self.orders.send(self.ordered).is_ok() {
                self.ordered += 1;
            }
        }
    }

    fn hear(&mut self, engine: &mut Engine, heard: Heard, _: Stage) -> Result<(), String> {
        match heard.event {
            Event::Up { .. } => {
                engine.subscribe(self.hearer, &format!("soak/{}/post", self.id), QoS::AtLeastOnce);
                Ok(())
            }
            Event::Subscribed(reason) if !reason.is_error() => {
                self.subscribed = true;
                Ok(())
            }
            Event::Message(m) => {
                let mark = m.mark.filter(|m| m.stream == self.id).ok_or("a strange payload")?;
                self.track.enter(mark, m.dup.into());
                self.refused.pop().map_or(Ok(()), Err)
            }
            _ => ordinary(heard),
        }
    }

    fn is_done(&self, engine: &Engine, _: Stage) -> bool {
        let answered = self.accepted + self.refused.len() as u64 >= self.ordered;
        self.subscribed && answered && engine.is_up(self.hearer)
    }

    fn balance(&self) -> Balance {
        let Track { received, again, disorder, .. } = self.track;
        Balance { expected: self.accepted, received, again, disorder }
    }
}

const PERIOD_US: u64 = 500_000;
