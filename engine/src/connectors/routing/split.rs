//! A request taken apart along the table: what each route takes, in order, and what is left. What
//! goes to one destination is one request. Where only whole resources go somewhere nothing is
//! copied.

use std::sync::Arc;

use trunkline_ottl::run::{Request, Selected};
use trunkline_proto::{Batch, batch::Level};

use super::{
    super::parts::{Split, copy, keep},
    config::Action,
    table::Table,
};
use crate::{
    component::RequestContext,
    net::admission::Budget,
    ottl::{
        Refused,
        emptied::{holders, is_inner},
    },
};

impl Table {
    /// Splits a request.
    ///
    /// # Errors
    /// It is not valid, or a condition failed and may not.
    pub fn split(
        &self,
        batch: Batch,
        request: &Request,
        context: &RequestContext,
        budget: &Arc<Budget>,
    ) -> Result<Split, Refused> {
        let charge = copy(&batch, budget)?;
        let mut split = match self.moves_resources() {
            true => self.by_resource(batch, request, context)?,
            false => self.by_row(batch, request, context, budget)?,
        };
        split.charges.push(charge);
        Ok(split)
    }

    /// Every resource has one destination, or none.
    fn by_resource(
        &self,
        mut batch: Batch,
        request: &Request,
        context: &RequestContext,
    ) -> Result<Split, Refused> {
        let data = batch.open()?;
        let rows = data.rows(Level::Resource)?;
        if rows.is_empty() {
            return Ok(Split::default());
        }
        let mut left = Selected::with_capacity(rows.len());
        rows.iter().for_each(|row| left.insert(*row));
        let mut groups = vec![self.default.map(|default| default as u32); rows.len()];
        let destination = |route: usize| self.routes.get(route).map(|of| of.destination as u32);
        for step in &self.steps {
            if left.is_empty() {
                break;
            }
            let taken = self.ask(step, data, Some(&left), request, context)?;
            if step.asks.level().is_none() {
                let Some((_, route)) = taken.first() else {
                    continue;
                };
                for (row, group) in rows.iter().zip(&mut groups) {
                    if left.contains(*row) {
                        *group = destination(*route);
                    }
                }
                break;
            }
            let mut taken = taken.into_iter().peekable();
            for (row, group) in rows.iter().zip(&mut groups) {
                if let Some((_, route)) = taken.next_if(|(taken, _)| taken == row) {
                    left.remove(*row);
                    *group = destination(route);
                }
            }
        }
        Ok(Split::resources(batch, &groups, self.destinations)?)
    }

    /// Routes take rows of any level: each has a copy of the request in which only its rows are.
    fn by_row(
        &self,
        mut rest: Batch,
        request: &Request,
        context: &RequestContext,
        budget: &Arc<Budget>,
    ) -> Result<Split, Refused> {
        let mut taken: Vec<(usize, Batch)> = Vec::new();
        let mut charges = Vec::new();
        for step in &self.steps {
            let data = rest.open()?;
            if data.rows(Level::Resource)?.is_empty() {
                break;
            }
            let level = step.asks.level();
            let mut found = self.ask(step, data, None, request, context)?;
            // By route; rows of one are in order.
            found.sort_by_key(|(_, route)| *route);
            for rows in found.chunk_by(|(_, a), (_, b)| a == b) {
                let route = rows.first().and_then(|(_, route)| self.routes.get(*route));
                let Some(route) = route else {
                    continue;
                };
                let mut selected = Selected::default();
                rows.iter().for_each(|(row, _)| selected.insert(*row));
                let data = rest.open()?;
                let all = match level {
                    None => true,
                    Some(level) => data.rows(level)?.iter().all(|row| selected.contains(*row)),
                };
                // A metric without points is not taken with the points of others, nor a profile
                // without samples with those of others.
                if all && !level.is_some_and(is_inner) {
                    match route.action {
                        Action::Copy => taken.push((route.destination, rest.clone())),
                        Action::Move => {
                            taken.push((route.destination, rest));
                            return Ok(Split::rows(taken, None, None, charges)?);
                        }
                    }
                    continue;
                }
                let Some(level) = level else { continue };
                charges.push(copy(&rest, budget)?);
                let mut part = rest.clone();
                keep(&mut part, level, |row| selected.contains(row))?;
                if is_inner(level) {
                    // Not even metrics of no type go with the points of others.
                    let data = part.open()?;
                    let held = holders(data, level)?;
                    keep(&mut part, Level::Item, |row| held.contains(row))?;
                }
                taken.push((route.destination, part));
                if route.action == Action::Move {
                    keep(&mut rest, level, |row| !selected.contains(row))?;
                }
            }
        }
        Ok(Split::rows(taken, Some(rest), self.default, charges)?)
    }
}
