//! A request taken apart as rules decided: what each destination gets, and what is left for the
//! default. Where whole resources go somewhere nothing is copied.

use std::{collections::BTreeMap, sync::Arc};

use trunkline_ottl::{rules::Fates, run::Selected};
use trunkline_proto::{
    Batch,
    batch::{Data, Error, Level},
};

use crate::{
    component::RequestContext,
    connectors::parts::{Split, copy, keep},
    net::admission::Budget,
    ottl::{
        Refused,
        emptied::{drop_emptied, holders, is_inner},
        rules::{Rules, drop_rows},
    },
    telemetry::PipelineLedger,
};

/// Where rules lead.
#[derive(Debug)]
pub struct Routes {
    /// The destination of each rule that routes.
    pub by_rule: Vec<Option<usize>>,
    /// Where the rest goes.
    pub default: Option<usize>,
    /// Number of destinations.
    pub destinations: usize,
    /// The level of items.
    pub item: Level,
}

/// Items by destination.
type Sets = BTreeMap<usize, Selected>;

impl Routes {
    /// Runs the rules on a request and splits it.
    ///
    /// # Errors
    /// The request is not valid, a rule failed and may not, or there is no memory.
    pub fn split(
        &self,
        rules: &Rules,
        mut batch: Batch,
        context: &RequestContext,
        budget: &Arc<Budget>,
        ledger: &PipelineLedger,
    ) -> Result<Split, Refused> {
        if rules.is_empty() {
            return Ok(Split::whole(batch, self.default));
        }
        let mut charges = vec![copy(&batch, budget)?];
        // Copies of items as they were when they were routed, for later rules can change them.
        let mut taken: Vec<(usize, Batch)> = Vec::new();
        let mut seen = Sets::new();
        let mut gone_on = Selected::default();
        let mut snapshot = |batch: &Batch, fates: &mut Fates| -> Result<(), Refused> {
            for (destination, set) in self.sets(fates, &mut seen, &mut gone_on) {
                charges.push(copy(batch, budget)?);
                taken.push((destination, self.part(batch, fates, &set)?));
            }
            Ok(())
        };
        let mut fates = rules.run(&mut batch, context, &mut snapshot)?;
        let sets = self.sets(&mut fates, &mut seen, &mut gone_on);
        let mut split = match taken.is_empty() && sets.is_empty() && fates.dropped.is_empty() {
            true => Split::whole(batch, self.default),
            false => {
                drop_rows(batch.open()?, &fates, self.item, false)?;
                let groups = match taken.is_empty() {
                    true => self.by_resource(batch.open()?, &fates, &sets)?,
                    false => None,
                };
                match groups {
                    Some(groups) => Split::resources(batch, &groups, self.destinations)?,
                    None => {
                        for (destination, set) in sets {
                            charges.push(copy(&batch, budget)?);
                            taken.push((destination, self.part(&batch, &fates, &set)?));
                        }
                        drop_rows(batch.open()?, &fates, self.item, true)?;
                        keep(&mut batch, self.item, |row| !gone_on.contains(row))?;
                        Split::rows(taken, Some(batch), self.default, Vec::new())?
                    }
                }
            }
        };
        split.charges.extend(charges);
        // Last: a request that is refused is not dropped as well.
        split.dropped = rules.account(&fates, &gone_on, ledger);
        Ok(split)
    }

    /// The items that go to each destination and have not been sent there before. They are noted
    /// among those `seen` and those that have `gone_on`.
    fn sets(&self, fates: &mut Fates, seen: &mut Sets, gone_on: &mut Selected) -> Sets {
        let mut sets = Sets::new();
        for (rule, mut rows) in fates.routed.drain(..) {
            let Some(destination) = self.by_rule.get(rule).copied().flatten() else {
                continue;
            };
            let known = seen.entry(destination).or_default();
            rows.remove_all(known);
            if rows.is_empty() {
                continue;
            }
            known.insert_all(&rows);
            gone_on.insert_all(&rows);
            sets.entry(destination).or_default().insert_all(&rows);
        }
        sets
    }

    /// A copy of a request in which only some items are.
    fn part(&self, batch: &Batch, fates: &Fates, set: &Selected) -> Result<Batch, Error> {
        let mut part = batch.clone();
        drop_rows(part.open()?, fates, self.item, false)?;
        keep(&mut part, self.item, |row| set.contains(row))?;
        if is_inner(self.item) {
            // Not even metrics of no type go with the points of others.
            let held = holders(part.open()?, self.item)?;
            keep(&mut part, Level::Item, |row| held.contains(row))?;
        }
        Ok(part)
    }

    /// The destination of each resource, where all items in it have the same one; what is to be
    /// dropped is dropped then. `None`: some resource has several.
    fn by_resource(
        &self,
        data: &mut Data,
        fates: &Fates,
        sets: &Sets,
    ) -> Result<Option<Vec<Option<u32>>>, Error> {
        let mut dropped = Selected::default();
        for (_, level, rows) in &fates.dropped {
            if *level == self.item {
                dropped.insert_all(rows);
            }
        }
        let default = self.default.map(|default| default as u32);
        let mut by_resource: BTreeMap<u32, Option<u32>> = BTreeMap::new();
        let mut routed = 0;
        for row in data.rows(self.item)? {
            let mut of = sets.iter().filter(|(_, set)| set.contains(row));
            let (first, more) = (of.next(), of.next().is_some());
            if more || (first.is_some() && dropped.contains(row)) {
                return Ok(None);
            }
            if dropped.contains(row) {
                continue;
            }
            routed += usize::from(first.is_some());
            let group = first.map_or(default, |(destination, _)| Some(*destination as u32));
            let Some(resource) = resource_of(data, self.item, row) else {
                return Ok(None);
            };
            if *by_resource.entry(resource).or_insert(group) != group {
                return Ok(None);
            }
        }
        if !dropped.is_empty() {
            drop_rows(data, fates, self.item, true)?;
            drop_emptied(data, self.item)?;
        }
        // Metrics without points do not go with the points of others, nor profiles without samples.
        if routed > 0 && is_inner(self.item) {
            let held = holders(data, self.item)?;
            if data
                .rows(Level::Item)?
                .iter()
                .any(|row| !held.contains(*row))
            {
                return Ok(None);
            }
        }
        let resources = data.rows(Level::Resource)?;
        let groups = resources
            .iter()
            .map(|row| by_resource.get(row).copied().unwrap_or(default));
        Ok(Some(groups.collect()))
    }
}

/// The resource that an item is in.
fn resource_of(data: &Data, item: Level, row: u32) -> Option<u32> {
    let (mut level, mut row) = (item, row);
    while level != Level::Resource {
        row = data.parent(level, row)?;
        level = match level {
            Level::DataPoint | Level::Sample => Level::Item,
            Level::Item => Level::Scope,
            _ => Level::Resource,
        };
    }
    Some(row)
}
