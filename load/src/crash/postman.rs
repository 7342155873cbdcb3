//! HTTP Publish, one post after the other, on a thread of its own because it blocks: with an
//! idempotency key or without, retained or not. What was not answered is posted again.

use super::breach::Rule;
use super::ledger::{Keyed, Ledger};
use super::letter::{Letter, Purpose};
use crate::engine::Target;
use crate::https::Https;
use anyhow::{Context, Result};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Who posts.
pub struct Postman {
    name: String,
    purpose: Purpose,
    streams: Vec<u32>,
    turn: usize,
    post: Post,
    orders: Sender<Order>,
    answers: Receiver<Answer>,
    period_us: u64,
    due_us: u64,
    seed: u64,
}

/// The post that is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Post {
    None,
    /// The thread has it.
    Out(Letter),
    /// No answer came: it may have arrived.
    Again(Letter),
}

/// A post for the thread.
struct Order {
    target: Target,
    path: String,
    key: Option<String>,
    payload: Vec<u8>,
}

/// The status and body, or why none came.
type Answer = Result<(u16, String), String>;

impl Postman {
    /// For streams that the ledger has, with its thread waiting for orders.
    pub fn new(name: &str, streams: Vec<u32>, purpose: Purpose, seed: u64) -> Self {
        let (orders, ordered) = channel::<Order>();
        let (answer, answers) = channel();
        // It ends with its orders.
        std::thread::spawn(move || {
            for order in ordered {
                if answer.send(carry(&order)).is_err() {
                    return;
                }
            }
        });
        let (name, post) = (name.to_owned(), Post::None);
        let period_us = if purpose == Purpose::Retain { 3 * PERIOD_US } else { PERIOD_US };
        let due_us = 0;
        Self { name, purpose, streams, turn: 0, post, orders, answers, period_us, due_us, seed }
    }

    /// For reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Posts what is due: first again what was not answered, then something new if there is to be
    /// anything `new`.
    pub fn act(&mut self, target: &Target, ledger: &mut Ledger, new: New, now_us: u64) {
        let letter = match self.post {
            Post::Out(_) => return,
            Post::Again(letter) => letter,
            Post::None if new == New::No || now_us < self.due_us => return,
            Post::None => {
                let stream = self.streams[self.turn % self.streams.len()];
                self.turn += 1;
                Letter::next(ledger, self.seed, stream, self.purpose)
            }
        };
        self.due_us = now_us + self.period_us;
        let source = ledger.source(letter.stream);
        let topic = source.topic.replace('/', "%2F");
        let retain = u8::from(self.purpose == Purpose::Retain);
        let path = format!("/mqtt/messages?topic={topic}&qos=1&retain={retain}&{VERSION}");
        let key = || format!("{}-{}-{}", self.seed, letter.stream, letter.sequence);
        let key = (source.keyed == Keyed::Yes).then(key);
        let payload = letter.payload(ledger, self.seed);
        let order = Order { target: target.clone(), path, key, payload };
        // The thread is there as long as we are.
        if self.orders.send(order).is_ok() {
            self.post = Post::Out(letter);
        }
    }

    /// Takes an answer if there is one, or waits for it. None may come when the process has
    /// `Ended`, and it may refuse what it no longer takes.
    ///
    /// # Errors
    /// With the rule that an answer breaks.
    pub fn answered(&mut self, ledger: &mut Ledger, server: Server) -> Result<(), (Rule, String)> {
        let Post::Out(letter) = self.post else { return Ok(()) };
        let answer = match server {
            Server::Lives => self.answers.try_recv().ok(),
            Server::Ended => self.answers.recv_timeout(PATIENCE).ok(),
        };
        match (answer, server) {
            (None, Server::Lives) => Ok(()),
            (None, Server::Ended) => {
                Err((Rule::Protocol, "a post is neither answered nor broken".to_owned()))
            }
            (Some(Ok((status, _))), _) if status / 100 == 2 => {
                self.post = Post::None;
                ledger.acknowledged(letter.stream, letter.sequence);
                Ok(())
            }
            (Some(_), Server::Ended) => {
                self.post = Post::Again(letter);
                Ok(())
            }
            (Some(other), Server::Lives) => {
                self.post = Post::Again(letter);
                Err((Rule::Protocol, format!("a post was answered with {other:?}")))
            }
        }
    }

    /// Whether nothing is on.
    pub fn is_done(&self) -> bool {
        self.post == Post::None
    }
}

/// Whether something new is to be posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum New {
    /// As it comes.
    Yes,
    /// Only what is open.
    No,
}

/// Whether the process still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// An answer is due.
    Lives,
    /// No answer needs to come any more.
    Ended,
}

fn carry(order: &Order) -> Answer {
    let told = || -> Result<(u16, String)> {
        let Target { ports, tls, token } = &order.target;
        let mut https = Https::new(ports.https, Arc::clone(tls), token);
        let mut headers = vec![("content-type", "application/octet-stream")];
        headers.extend(order.key.as_deref().map(|key| ("idempotency-key", key)));
        let answer = https.post(&order.path, &headers, &order.payload).context("HTTP Publish")?;
        Ok((answer.status, answer.text()))
    };
    told().map_err(|error| format!("{error:#}"))
}

const VERSION: &str = "api-version=2025-11-16-preview";
const PERIOD_US: u64 = 20_000;
/// Longer than the post itself waits.
const PATIENCE: Duration = Duration::from_secs(30);
