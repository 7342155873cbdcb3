//! Makes long outputs short without hiding anything: lines, and whole clients, that differ from
//! the one before only by numbers that stay or grow by one are counted instead of repeated.

/// The lines of each client, folded.
pub fn fold(clients: Vec<Vec<String>>) -> Vec<String> {
    let blocks: Vec<Vec<String>> = clients
        .into_iter()
        .filter(|lines| !lines.is_empty())
        .map(|lines| {
            let single: Vec<_> = lines.into_iter().map(|line| vec![line]).collect();
            runs(&single, "more alike")
        })
        .collect();
    runs(&blocks, "more clients alike")
}

fn runs(blocks: &[Vec<String>], what: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < blocks.len() {
        let mut end = at + 1;
        let mut way = None;
        while end < blocks.len() {
            let next = way_between(&blocks[end - 1], &blocks[end]);
            if next.is_none() || (way.is_some() && next != way) {
                break;
            }
            way = next;
            end += 1;
        }
        if end - at >= FOLDED_MIN {
            out.extend_from_slice(&blocks[at]);
            out.push(format!("... {} {what}", end - at - 2));
            out.extend_from_slice(&blocks[end - 1]);
        } else {
            end = at + 1;
            out.extend_from_slice(&blocks[at]);
        }
        at = end;
    }
    out
}

/// Which numbers grow by one from one block to the next; `None` if anything else differs.
fn way_between(a: &[String], b: &[String]) -> Option<Vec<bool>> {
    if a.len() != b.len() {
        return None;
    }
    let mut way = Vec::new();
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (pieces(a), pieces(b));
        if a.len() != b.len() {
            return None;
        }
        for (a, b) in a.iter().zip(&b) {
            match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(x), Ok(y)) if y == x || y == x + 1 => way.push(y > x),
                (Err(_), Err(_)) if a == b => {}
                _ => return None,
            }
        }
    }
    Some(way)
}

/// A line as runs of digits and of anything else.
fn pieces(line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let bytes = line.as_bytes();
    for at in 1..=bytes.len() {
        if at == bytes.len() || bytes[at].is_ascii_digit() != bytes[at - 1].is_ascii_digit() {
            pieces.push(&line[start..at]);
            start = at;
        }
    }
    pieces
}

/// Shorter runs are written out.
const FOLDED_MIN: usize = 6;
