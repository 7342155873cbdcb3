//! Documents that a query counts together, by group. Refuses to know which are selected.

use super::aggregate::Total;
use super::document::Document;
use super::limits::{GROUP_BYTES_MAX, GROUPS_MAX};
use super::refused::Refused;
use super::statement::{Column, Query, Select, What};
use super::value::Value;
use crate::json::write_text;
use std::collections::HashMap;
use std::sync::Arc;

/// The groups of one run of a query. Allocates for a new group only.
#[derive(Debug)]
pub struct Tally {
    query: Arc<Query>,
    /// By what makes a value the same: equal numbers are one group however they are written.
    places: HashMap<Box<[u8]>, usize>,
    groups: Vec<Group>,
    group_bytes: usize,
    key: Vec<u8>,
}

#[derive(Debug)]
struct Group {
    /// The JSON text of its value as it was first seen; nothing for undefined.
    shown: Box<[u8]>,
    totals: Vec<Total>,
}

impl Tally {
    pub(super) fn new(query: Arc<Query>) -> Self {
        let (places, groups, group_bytes, key) = (HashMap::new(), Vec::new(), 0, Vec::new());
        let mut tally = Self { query, places, groups, group_bytes, key };
        if tally.query.group_by.is_none() {
            tally.groups.push(tally.group(Box::default()));
        }
        tally
    }

    /// Counts a document that the query [`matches`](Query::matches).
    ///
    /// # Errors
    /// [`Refused::TooManyGroups`]; the tally is of no use then.
    pub fn count<D: Document + ?Sized>(&mut self, document: &D) -> Result<(), Refused> {
        let place = self.place(document)?;
        let totals = self.groups[place].totals.iter_mut();
        for (column, total) in columns(&self.query).iter().zip(totals) {
            let What::Aggregate(aggregate) = &column.what else { continue };
            match &aggregate.of {
                None => total.add_document(),
                Some(path) => {
                    if let Some(number) = document.value(path).number() {
                        total.add(number);
                    }
                }
            }
        }
        Ok(())
    }

    /// Appends each row as JSON, as `row` says where: in the order in which groups were first seen.
    pub fn write_rows(&self, mut row: impl FnMut(&[u8])) {
        let top = self.query.top.map_or(usize::MAX, |top| top as usize);
        let mut out = Vec::new();
        for group in self.groups.iter().take(top) {
            out.clear();
            group.write(columns(&self.query), &mut out);
            row(&out);
        }
    }

    fn place<D: Document + ?Sized>(&mut self, document: &D) -> Result<usize, Refused> {
        let Some(path) = &self.query.group_by else { return Ok(0) };
        self.key.clear();
        match document.value(path) {
            Value::Undefined => {}
            Value::Number(number) => number.write(&mut self.key),
            _ => drop(document.write(path, &mut self.key)),
        }
        if let Some(&place) = self.places.get(self.key.as_slice()) {
            return Ok(place);
        }
        self.group_bytes += 2 * self.key.len();
        if self.groups.len() == GROUPS_MAX || self.group_bytes > GROUP_BYTES_MAX {
            return Err(Refused::TooManyGroups);
        }
        let mut shown = Vec::new();
        document.write(path, &mut shown);
        self.places.insert(self.key.as_slice().into(), self.groups.len());
        self.groups.push(self.group(shown.into()));
        Ok(self.groups.len() - 1)
    }

    fn group(&self, shown: Box<[u8]>) -> Group {
        Group { shown, totals: vec![Total::default(); columns(&self.query).len()] }
    }
}

impl Group {
    fn write(&self, columns: &[Column], out: &mut Vec<u8>) {
        out.push(b'{');
        let mut end = out.len();
        for (column, total) in columns.iter().zip(&self.totals) {
            if end > 1 {
                out.push(b',');
            }
            write_text(&column.name, out);
            out.push(b':');
            let written = match &column.what {
                What::Aggregate(aggregate) => total.write(aggregate.kind, out),
                What::Path(_) => {
                    out.extend_from_slice(&self.shown);
                    !self.shown.is_empty()
                }
            };
            if written {
                end = out.len();
            }
            out.truncate(end);
        }
        out.push(b'}');
    }
}

fn columns(query: &Query) -> &[Column] {
    match &query.select {
        Select::Everything => &[],
        Select::Columns(columns) => columns,
    }
}
