//! Rows of all homes in one order, that of ids, a part of each home at a time: a page costs no more
//! memory than itself and a few rows a home. Refuses to know pages and queries' texts.

use std::collections::VecDeque;
use std::sync::Arc;

use hub::identity::IdentityId;
use hub::query::Query;
use node::devices::{Scan, Scanned};

use super::asking;
use crate::http::backend::Backend;
use crate::http::error::HttpError;

/// A row and whose it is.
pub type Row = (IdentityId, Vec<u8>);

/// What a query finds, row by row.
pub struct Merge<'a, B> {
    backend: &'a B,
    query: Arc<Query>,
    homes: Vec<Home>,
}

/// How far one home is.
struct Home {
    rows: VecDeque<Row>,
    /// Everything up to this one was looked at.
    upto: Option<IdentityId>,
    ended: bool,
}

impl<'a, B: Backend> Merge<'a, B> {
    /// What `query` finds behind an id.
    pub fn behind(backend: &'a B, query: Arc<Query>, id: Option<&IdentityId>) -> Self {
        let home = |_| Home { rows: VecDeque::new(), upto: id.cloned(), ended: false };
        Self { homes: (0..backend.homes()).map(home).collect(), backend, query }
    }

    /// The next row; `None` = there are no more.
    ///
    /// # Errors
    /// 503 when the server ends.
    pub async fn next(&mut self) -> Result<Option<Row>, HttpError> {
        loop {
            let heads = self.homes.iter().enumerate();
            let heads = heads.filter_map(|(at, home)| Some((&home.rows.front()?.0, at)));
            let first = heads.min();
            let behind = |home: &Home| home.is_behind(first.map(|(id, _)| id));
            match (self.homes.iter().position(behind), first) {
                (Some(at), _) => self.advance(at).await?,
                (None, Some((_, at))) => return Ok(self.homes[at].rows.pop_front()),
                (None, None) => return Ok(None),
            }
        }
    }

    async fn advance(&mut self, at: usize) -> Result<(), HttpError> {
        let scan = Scan {
            query: Arc::clone(&self.query),
            after: self.homes[at].upto.clone(),
            rows: ROWS_AT_ONCE,
            tally: None,
        };
        let scanned = self.backend.scan(at, scan).await.ok_or_else(asking::ending)?;
        let Scanned { rows, next, .. } = scanned.map_err(hub::errors::Refusal::from)?;
        let home = &mut self.homes[at];
        home.rows.extend(rows);
        home.ended = next.is_none();
        home.upto = next;
        Ok(())
    }
}

impl Home {
    /// Whether it may have a row before `first`, the first one that is known.
    fn is_behind(&self, first: Option<&IdentityId>) -> bool {
        let upto = self.upto.as_ref();
        let far = first.is_some_and(|first| upto.is_some_and(|upto| upto >= first));
        self.rows.is_empty() && !self.ended && !far
    }
}

/// Rows of a twin may have 200 KB.
const ROWS_AT_ONCE: usize = 32;
