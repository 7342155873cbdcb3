//! Two lines of members: those that can take any message, and those that take QoS 0 if need be.
//!
//! Linked by place, so that any member leaves its line and joins the end of another in a few
//! stores, with ten members or ten thousand. Refuses to know why somebody stands where.

/// The lines of one group.
#[derive(Default)]
pub(super) struct Turns {
    links: Vec<Link>,
    ready: Ends,
    busy: Ends,
}

/// Where a member stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// It can take a message.
    Ready,
    /// It is connected, but without credit or with a full output.
    Busy,
    /// In no line.
    Out,
}

struct Link {
    line: Line,
    before: u32,
    after: u32,
}

struct Ends {
    first: u32,
    last: u32,
}

impl Turns {
    /// Puts the member in this place at the end of a line, wherever it stands now.
    pub fn put(&mut self, place: u32, line: Line) {
        let at = place as usize;
        if self.links.len() <= at {
            self.links.resize_with(at + 1, || Link { line: Line::Out, before: NONE, after: NONE });
        }
        self.take_out(place);
        let Some(ends) = self.ends(line) else { return };
        let last = std::mem::replace(&mut ends.last, place);
        if last == NONE {
            ends.first = place;
        } else {
            self.links[last as usize].after = place;
        }
        self.links[at] = Link { line, before: last, after: NONE };
    }

    /// Where it stands.
    pub fn line_of(&self, place: u32) -> Line {
        self.links.get(place as usize).map_or(Line::Out, |l| l.line)
    }

    /// The first of a line who is not `but`.
    pub fn first(&self, line: Line, but: Option<u32>) -> Option<u32> {
        let first = match line {
            Line::Ready => self.ready.first,
            Line::Busy => self.busy.first,
            Line::Out => NONE,
        };
        let found = if but == Some(first) { self.links.get(first as usize)?.after } else { first };
        (found != NONE).then_some(found)
    }

    fn take_out(&mut self, place: u32) {
        let Link { line, before, after } = self.links[place as usize];
        if line == Line::Out {
            return;
        }
        self.links[place as usize].line = Line::Out;
        if before != NONE {
            self.links[before as usize].after = after;
        }
        if after != NONE {
            self.links[after as usize].before = before;
        }
        let Some(ends) = self.ends(line) else { return };
        if before == NONE {
            ends.first = after;
        }
        if after == NONE {
            ends.last = before;
        }
    }

    fn ends(&mut self, line: Line) -> Option<&mut Ends> {
        match line {
            Line::Ready => Some(&mut self.ready),
            Line::Busy => Some(&mut self.busy),
            Line::Out => None,
        }
    }
}

impl Default for Ends {
    fn default() -> Self {
        Self { first: NONE, last: NONE }
    }
}

/// No place: there are fewer members than that.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    #[test]
    fn lines_agree_with_plain_lists() {
        let mut chance = Chance::new(4);
        let mut turns = Turns::default();
        let mut plain: [Vec<u32>; 2] = Default::default();
        for step in 0..20_000 {
            let place = chance.below(7) as u32;
            let line = [Line::Ready, Line::Busy, Line::Out][chance.below(3)];
            turns.put(place, line);
            plain.iter_mut().for_each(|l| l.retain(|p| *p != place));
            match line {
                Line::Ready => plain[0].push(place),
                Line::Busy => plain[1].push(place),
                Line::Out => {}
            }
            assert_eq!(turns.line_of(place), line);
            for (line, list) in [(Line::Ready, &plain[0]), (Line::Busy, &plain[1])] {
                assert_eq!(turns.first(line, None), list.first().copied(), "step {step}");
                let other = list.iter().find(|p| **p != place).copied();
                assert_eq!(turns.first(line, Some(place)), other, "step {step}");
            }
        }
    }
}
