//! A PUBLISH to a client: somebody published it with permission, the session may have it, each
//! field is as the standard says, nothing comes twice and nothing out of order.

use super::attempt::{Attempt, Content, Fate, Publisher};
use super::flight::{Flight, Sending};
use super::session::{Class, Session, Sub};
use super::{Ledger, State};
use crate::filter::matches;
use mqtt::qos::QoS;
use mqtt::wire::{Publish, Version};

/// A PUBLISH with its alias resolved.
pub(crate) struct Delivered<'p> {
    pub p: &'p Publish<'p>,
    pub id: u16,
    pub topic: String,
    pub ids: Vec<u32>,
    pub len: usize,
}

/// How a delivery is explained.
enum Way {
    Live(usize),
    /// Live, or perhaps by a SUBSCRIBE: nothing is said about order.
    Either(usize),
    /// One of several attempts with the same content, this one or an older one.
    Repeated(usize),
    /// By the SUBSCRIBE of this number.
    Scan(usize, usize),
    /// The same, or perhaps live.
    ScanOr(usize, usize),
}

impl Ledger {
    pub fn delivery(&mut self, conn: usize, d: &Delivered<'_>) {
        self.at += 1;
        let Some(client) = self.serves(conn) else {
            if self.conns[conn].left.is_some_and(|(call, _)| call == self.call) {
                return;
            }
            return self.fail(|| "a PUBLISH to a connection without session".to_owned());
        };
        let content: Content = (d.topic.clone(), d.p.payload.to_vec());
        if d.id > 0 {
            let sending = if d.p.dup { Sending::Again } else { Sending::First };
            let content = content.clone();
            let (released, doubtful) = (false, false);
            let new =
                Flight { id: d.id, content, qos: d.p.qos, released, conn, len: d.len, doubtful };
            self.fly(new, sending);
        }
        if d.p.dup || d.topic.starts_with("bad/") {
            return;
        }
        let candidates: Vec<usize> = self.with_content(&content);
        let candidates: Vec<usize> =
            candidates.into_iter().filter(|n| self.attempts[*n].fate != Fate::Refused).collect();
        let shown = || {
            let text = String::from_utf8_lossy(&content.1[..content.1.len().min(12)]);
            let (q, retain) = (d.p.qos.bits(), u8::from(d.p.retain));
            format!("{} '{text}' q{q} retain={retain} ids={:?} {} bytes", d.topic, d.ids, d.len)
        };
        if candidates.is_empty() {
            let what = shown();
            return self.fail(|| format!("nobody published {what}"));
        }
        let Some(s) = &self.sessions[client] else { return };
        match self.explain(s, client, &candidates, d) {
            Ok(way) => self.note(client, &way, d),
            Err(why) => {
                let (what, id) = (shown(), self.clients[client].clone());
                self.fail(|| format!("{id} should not get {what}: {why}"));
            }
        }
    }

    fn explain(
        &self,
        s: &Session,
        client: usize,
        candidates: &[usize],
        d: &Delivered<'_>,
    ) -> Result<Way, String> {
        if candidates.len() > 1 {
            return self.explain_repeated(s, client, candidates, d);
        }
        let mut why = Vec::new();
        let (mut live, mut scan) = (None, None);
        for &n in candidates {
            let fits = self.content_fits(&self.attempts[n], s, d);
            match fits.and_then(|()| self.live(s, client, n, d)) {
                Ok(()) => {
                    live = Some(n);
                    break;
                }
                Err(e) => why.push(e),
            }
        }
        for &n in candidates.iter().rev() {
            match self.by_scan(s, n, d) {
                Ok(at) => {
                    scan = Some((n, at));
                    break;
                }
                Err(e) => why.push(e),
            }
        }
        why.dedup();
        match (live, scan) {
            (Some(n), None) => Ok(Way::Live(n)),
            (Some(n), Some((_, at))) if self.came_first(s, client, n, at, d) => Ok(Way::Either(n)),
            (Some(_), Some((n, at))) => Ok(Way::ScanOr(n, at)),
            (None, Some((n, at))) => Ok(Way::Scan(n, at)),
            (None, None) => match candidates.iter().find(|n| s.either.contains(n)) {
                // The one before it was the other of the two.
                Some(n) => Ok(Way::Repeated(*n)),
                None => Err(why.join("; ")),
            },
        }
    }

    /// Of two explanations the one that began first; QoS 0 does not wait in between.
    fn came_first(
        &self,
        s: &Session,
        client: usize,
        n: usize,
        scan: usize,
        d: &Delivered<'_>,
    ) -> bool {
        let since = self.told_by(client, n);
        since < s.scans[scan].at && (d.p.qos > QoS::AtMostOnce || s.scans[scan].at < self.call_at)
    }

    /// As one of several attempts with this content, a repeat after a loss or an empty payload:
    /// which one it is nobody can tell, so nothing is said about order.
    fn explain_repeated(
        &self,
        s: &Session,
        client: usize,
        candidates: &[usize],
        d: &Delivered<'_>,
    ) -> Result<Way, String> {
        let came = s.came.get(&self.attempts[candidates[0]].content).copied().unwrap_or(0);
        if came >= candidates.len() + s.scans.len() {
            return Err(format!("it came {came} times already"));
        }
        let fits = |n: &&usize| {
            let a = &self.attempts[**n];
            let own = a.is_of(client, s.generation);
            let mut subs = s.between(a.at, self.told_by(client, **n), &d.topic);
            let live = subs.any(|sub| !(own && sub.no_local) && sub.qos.min(a.qos) == d.p.qos);
            let mut scans = s.scans.iter().filter(|scan| matches(&scan.filter, &d.topic));
            live || (d.p.retain && scans.any(|scan| scan.qos.min(a.qos) == d.p.qos))
        };
        let newest = candidates.iter().rev().find(fits);
        newest.map(|n| Way::Repeated(*n)).ok_or_else(|| "no subscription explains it".to_owned())
    }

    fn content_fits(&self, a: &Attempt, s: &Session, d: &Delivered<'_>) -> Result<(), String> {
        if s.version == Version::V311 {
            return Ok(());
        }
        if d.p.properties.content_type() != a.content_type.as_deref() {
            return Err("the content type changed".to_owned());
        }
        match (a.expiry_s, d.p.expiry) {
            (None, None) => Ok(()),
            (Some(was), Some(left)) if left <= was => Ok(()),
            (was, left) => Err(format!("expiry {was:?} became {left:?}")),
        }
    }

    /// As a publish that a subscription matched.
    fn live(&self, s: &Session, client: usize, n: usize, d: &Delivered<'_>) -> Result<(), String> {
        let a = &self.attempts[n];
        let own = a.is_of(client, s.generation);
        let told = self.told_by(client, n);
        // What was stored before a SUBSCRIBE asked for it comes by that, and not live as well.
        let stored_by = if a.retain { self.stored_by(n) } else { u64::MAX };
        let left_out = |sub: &Sub| (own && sub.no_local) || sub.since > stored_by;
        let hears = |sub: &&Sub| !left_out(sub);
        let subs: Vec<&Sub> = s.between(a.at, told, &d.topic).filter(hears).collect();
        if subs.is_empty() {
            return Err("no subscription matched".to_owned());
        }
        if s.live.contains(&n) {
            return Err("it came already".to_owned());
        }
        let class = Class::of(d.p.qos);
        if let Publisher::Session(..) = a.publisher
            && let Some(last) = s.last.get(&(a.publisher, d.topic.clone(), class))
            && *last >= n
        {
            return Err(format!("attempt {n} comes after attempt {last}"));
        }
        let at_all = |qos: QoS| subs.iter().any(|sub| sub.qos.min(a.qos) == qos);
        let kept = subs.iter().any(|sub| sub.retain_as_published) && a.retain;
        let mut seen = s.between(a.at, told, &d.topic);
        let steady = seen.all(|sub| sub.from < a.at && sub.until > told.min(self.at));
        let v5 = s.version == Version::V5;
        if !steady {
            let known = d.ids.iter().all(|id| subs.iter().any(|sub| sub.id == *id));
            return match (at_all(d.p.qos), !d.p.retain || kept, known) {
                (true, true, true) => Ok(()),
                _ => Err("no subscription since then explains it".to_owned()),
            };
        }
        let qos = subs.iter().map(|sub| sub.qos).max().unwrap_or_default().min(a.qos);
        let mut due: Vec<u32> = subs.iter().map(|sub| sub.id).filter(|id| *id > 0 && v5).collect();
        let mut ids = d.ids.clone();
        due.sort_unstable();
        ids.sort_unstable();
        if qos != d.p.qos {
            return Err(format!("QoS {} is due", qos.bits()));
        }
        if kept != d.p.retain {
            return Err(format!("RETAIN {} is due", u8::from(kept)));
        }
        if due != ids {
            return Err(format!("identifiers {due:?} are due"));
        }
        Ok(())
    }

    /// As a retained message that a SUBSCRIBE asked for.
    fn by_scan(&self, s: &Session, n: usize, d: &Delivered<'_>) -> Result<usize, String> {
        let a = &self.attempts[n];
        if !d.p.retain {
            return Err("RETAIN is 0".to_owned());
        }
        let fits = |scan: &&super::session::Scan| {
            matches(&scan.filter, &d.topic)
                && scan.qos.min(a.qos) == d.p.qos
                && d.ids.iter().all(|id| *id == scan.id)
                && (s.version == Version::V311 || d.ids.len() == usize::from(scan.id > 0))
                && !scan.brought.contains(&n)
                && self.scan_brings(n, scan.at)
        };
        let Some(at) = s.scans.iter().position(|scan| fits(&scan)) else {
            return Err("no SUBSCRIBE asked for it".to_owned());
        };
        let newest = s.newest.get(&(d.topic.clone(), Class::of(d.p.qos)));
        match newest {
            Some((newer, when)) if *newer > n && *when > s.scans[at].at => {
                Err(format!("retained attempt {n} comes after the newer {newer}"))
            }
            _ if a.deadline_ms <= self.now.wall_ms => Err("it has expired".to_owned()),
            _ => Ok(at),
        }
    }

    fn note(&mut self, client: usize, way: &Way, d: &Delivered<'_>) {
        let (n, at) = match way {
            Way::Live(n) | Way::Either(n) | Way::Repeated(n) => (*n, self.at),
            Way::Scan(n, _) | Way::ScanOr(n, _) => (*n, self.at),
        };
        let a = &self.attempts[n];
        let class = Class::of(d.p.qos);
        let Some(s) = &mut self.sessions[client] else { return };
        *s.came.entry(a.content.clone()).or_default() += 1;
        match way {
            Way::Live(_) => {
                s.live.insert(n);
                s.last.insert((a.publisher, d.topic.clone(), class), n);
            }
            Way::Either(_) => {
                s.live.insert(n);
                s.either.insert(n);
            }
            Way::Repeated(_) => {
                s.either.remove(&n);
            }
            Way::ScanOr(_, scan) => {
                s.scans[*scan].brought.insert(n);
                s.either.insert(n);
            }
            Way::Scan(_, scan) => {
                s.scans[*scan].brought.insert(n);
            }
        }
        if a.retain && !matches!(way, Way::Repeated(_)) {
            let newest = s.newest.entry((d.topic.clone(), class)).or_insert((n, at));
            if newest.0 < n {
                *newest = (n, at);
            }
        }
        self.paid(client, n);
    }

    /// The connection that serves a client, if one does.
    pub fn conn_of(&self, client: usize) -> Option<usize> {
        match self.sessions[client].as_ref()?.state {
            State::Attached(conn) => Some(conn),
            State::Detached { .. } => None,
        }
    }
}
