//! A table of 100 routes with conditions on an attribute of resources, two ways out: what the
//! comparison gives the connector `routing`, and what of it is a kernel.

use std::sync::Arc;

use trunkline_ottl::{
    Compiler,
    columns::Executor,
    contexts::Context,
    failure::Failure,
    functions::Host,
    run::{self, ErrorMode},
};
use trunkline_proto::{
    Batch,
    batch::{Error as BatchError, Level},
};

use crate::generate::words::SERVICES;

/// Routes in the table.
const ROUTES: usize = 100;

/// Ways out.
pub const WAYS: usize = 2;

/// The conditions, and which way what they take goes. Every resource that is generated has its
/// route, among many that take nothing.
pub fn table() -> Vec<(String, usize)> {
    let mut services = SERVICES.iter();
    let routes = (0..ROUTES).map(|at| {
        let service = match at % 6 {
            5 => services.next().map(|name| (*name).to_owned()),
            _ => None,
        };
        let service = service.unwrap_or_else(|| format!("tenant-{at}"));
        let condition = format!("resource.attributes[\"service.name\"] == \"{service}\"");
        (condition, at / 6 % WAYS)
    });
    routes.collect()
}

/// The table as one program, compiled when it is asked for first.
#[derive(Default)]
pub struct Routes(Option<(Executor, Vec<usize>)>);

impl Routes {
    fn get(&mut self) -> Option<&mut (Executor, Vec<usize>)> {
        if self.0.is_none() {
            let (conditions, ways): (Vec<String>, Vec<usize>) = table().into_iter().unzip();
            let sources: Vec<&str> = conditions.iter().map(String::as_str).collect();
            let compiler = Compiler::new(Host::Routing, &[Context::Resource]);
            let compiler = compiler.in_context(Context::Resource);
            let program = compiler.statements(&[], &sources).ok()?;
            self.0 = Some((Executor::new(Arc::new(program)), ways));
        }
        self.0.as_mut()
    }
}

/// Takes a batch apart, asks the routes of its resources, and parts it.
pub fn run(routes: &mut Routes, batch: &mut Batch) -> Result<Vec<Batch>, BatchError> {
    let Some((executor, ways)) = routes.get() else {
        return Ok(Vec::new());
    };
    let request = run::Request::default();
    let data = batch.open()?;
    let mut groups = vec![None; data.row_count(Level::Resource)?];
    let asked = executor.choose(data, None, &request, ErrorMode::Ignore, &mut |_| ());
    let choice = asked.map_err(|cause| match cause {
        Failure::Batch(error) => error,
        _ => BatchError::TooLarge,
    })?;
    for (row, route) in choice.chosen {
        if let (Some(group), Some(way)) = (groups.get_mut(row as usize), ways.get(route as usize)) {
            *group = Some(*way as u32);
        }
    }
    batch.partition_resources(&groups, WAYS as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_a_route() {
        let table = table();
        assert_eq!(table.len(), ROUTES);
        for service in SERVICES {
            let routes = table
                .iter()
                .filter(|(text, _)| text.contains(&format!("\"{service}\"")));
            assert_eq!(routes.count(), 1, "{service}");
        }
        assert!((0..WAYS).all(|way| table.iter().any(|(_, of)| *of == way)));
        assert!(
            Routes::default()
                .get()
                .is_some_and(|(executor, _)| executor.has_columns())
        );
    }
}
