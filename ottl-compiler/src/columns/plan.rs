//! The plan of a program, made once: which statements run over columns together (a stage), which
//! by rows, and why. Rows that depend on each other (a statement writes to what is around the
//! rows, or to a scratch map, …) need the whole program by rows.

use std::ops::Range;

use trunkline_proto::{
    Signal,
    batch::{
        Field,
        frame::{Frame, Others},
    },
};

use super::{
    cells::Cell,
    constant::Constant,
    expr::{Action, Around, Test},
    gate::{Conditions, Gate},
    lower::Lower,
};
use crate::{
    contexts::{Context, Store},
    functions::{Build, Place},
    program::{Program, footprint::Footprint},
};

/// Why something runs by rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Exemplars, the request itself: rows that are not in columns.
    Context,
    /// A statement writes to what is around the rows, which rows after it see.
    WritesAround,
    /// The scratch map, where not all statements that it links run over columns together.
    Cache,
    /// An editor that changes the list of rows.
    Structure,
    /// An editor, or a target, that has no kernel.
    NoKernel,
    /// Indices into the dictionary of profiles are looked at, which depend on the order in which
    /// rows add to it.
    Indices,
    /// There are more columns than a frame holds.
    TooMany,
}

impl Reason {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Reason::Context => "rows of this context are not in columns",
            Reason::WritesAround => "a statement writes to what is around the rows",
            Reason::Cache => {
                "the scratch map links statements that do not run over columns together"
            }
            Reason::Structure => "an editor changes the list of rows",
            Reason::NoKernel => "the editor has no kernel for this target",
            Reason::Indices => {
                "indices into the dictionary depend on the order in which rows add to it"
            }
            Reason::TooMany => "the statements name too many attributes",
        }
    }
}

/// How a program runs.
#[derive(Debug)]
pub(super) enum Plan {
    /// All of it by rows.
    Rows(Reason),
    /// First the conditions of the group, if there are any, then part after part.
    Parts {
        gate: Option<Box<Gate>>,
        parts: Vec<Part>,
    },
}

#[derive(Debug)]
pub(super) enum Part {
    Columns(Box<Stage>),
    Rows(Range<usize>, Reason),
}

/// Statements that run over the same columns.
#[derive(Debug)]
pub(super) struct Stage {
    /// Of the program's statements, which.
    pub statements: Range<usize>,
    pub steps: Vec<Step>,
    pub columns: Columns,
    /// Where all that is done is to set and remove attributes, whatever a row is.
    pub constant: Option<Constant>,
}

/// The columns that statements or conditions work on.
#[derive(Debug)]
pub(super) struct Columns {
    pub frame: Frame,
    pub arounds: Vec<Around>,
    pub memos: usize,
    /// Number of values that are shared.
    pub shared: usize,
    /// The empty scratch map, if there is one.
    pub cache: Option<Cell>,
    /// Number of slots of attributes.
    pub keys: usize,
}

/// A statement.
#[derive(Debug)]
pub(super) struct Step {
    pub test: Test,
    pub action: Action,
}

/// The signal that has rows of a context in frames; where the same rows are in all signals, one
/// of them.
pub(super) fn signal_of(context: Context) -> Option<Signal> {
    Some(match context {
        Context::Resource | Context::Scope => Signal::Traces,
        Context::Span | Context::SpanEvent => Signal::Traces,
        Context::Metric | Context::DataPoint => Signal::Metrics,
        Context::Log => Signal::Logs,
        Context::Profile | Context::ProfileSample => Signal::Profiles,
        _ => return None,
    })
}

impl Plan {
    pub fn new(program: &Program) -> Plan {
        match dependent(program) {
            Some(reason) => Plan::Rows(reason),
            None => parts(program).unwrap_or_else(Plan::Rows),
        }
    }
}

/// Why rows cannot be taken statement by statement.
fn dependent(program: &Program) -> Option<Reason> {
    let context = program.context;
    let Some(level) = context.level() else {
        return Some(Reason::Context);
    };
    if !signal_of(context).is_some_and(|signal| Frame::exists(signal, level)) {
        return Some(Reason::Context);
    }
    let statements = &program.statements;
    let conditions: Vec<Footprint> = program
        .conditions
        .iter()
        .flat_map(|condition| crate::program::footprint::reads(&condition.condition))
        .collect();
    let all = || {
        let of = statements.iter();
        of.flat_map(|statement| statement.reads.iter().chain(&statement.writes))
            .chain(&conditions)
    };
    let cached = |print: &Footprint| print.store == Store::Cache;
    if conditions.iter().any(cached) {
        return Some(Reason::Cache);
    }
    // What is around the rows that is read: whether rows are in it has nothing to do with keys.
    let mut around_read: Vec<&Footprint> = Vec::new();
    for read in all().filter(|read| read.context != context) {
        let known = |of: &&Footprint| (of.context, of.store) == (read.context, read.store);
        if !around_read.iter().any(known) {
            around_read.push(read);
        }
    }
    let indices = |print: &Footprint| print.store == Store::Ints(Field::AttributeIndices);
    let writes = |print: &Footprint| print.store == Store::Attributes;
    if all().any(indices) && statements.iter().any(|of| of.writes.iter().any(writes)) {
        return Some(Reason::Indices);
    }
    if program.adds_rows() {
        return Some(Reason::Structure);
    }
    for statement in statements {
        let function = statement.editor.function;
        if function.place == Place::TransformMetric
            || statement.editor.target().is_none() && !matches!(function.build, Build::Nothing)
        {
            return Some(Reason::Structure);
        }
        let around = |write: &Footprint| write.context != context;
        if statement.writes.iter().any(around) {
            return Some(Reason::WritesAround);
        }
        // What is around the rows can hold them.
        let holds = |read: &&Footprint| statement.writes.iter().any(|write| write.overlaps(read));
        if around_read.iter().any(holds) {
            return Some(Reason::WritesAround);
        }
    }
    None
}

fn parts(program: &Program) -> Result<Plan, Reason> {
    let gate = match program.conditions.is_empty() {
        true => None,
        false => {
            let mut lower = Lower::new(program.context);
            let conditions = program.conditions.iter();
            let tests = conditions.map(|of| lower.condition(&of.condition));
            let mut tests: Vec<Test> = tests.collect();
            let mut exprs = Vec::new();
            tests.iter_mut().for_each(|test| test.exprs_mut(&mut exprs));
            let shared = lower.shares.settle(exprs.into_iter());
            let of = Conditions::new(tests, &lower);
            let few = lower.others == Others::None;
            let mut columns = columns(lower, shared)?;
            if few {
                columns.frame = columns.frame.reading();
            }
            Some(Box::new(Gate { columns, of }))
        }
    };
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(statement) = program.statements.get(at) {
        if let Err(reason) = Lower::new(program.context).editor(&statement.editor) {
            match parts.last_mut() {
                Some(Part::Rows(range, last)) if *last == reason => range.end = at + 1,
                _ => parts.push(Part::Rows(at..at + 1, reason)),
            }
            at += 1;
            continue;
        }
        let from = at;
        let mut lower = Lower::new(program.context);
        let mut steps = Vec::new();
        let mut writes: Vec<&Footprint> = Vec::new();
        while let Some(statement) = program.statements.get(at) {
            let mut alone = Lower::new(program.context);
            alone.condition(&statement.condition);
            if alone.editor(&statement.editor).is_err() {
                break;
            }
            // What is read by rows must be as it is written.
            let mut reads = alone.row_reads.iter();
            if reads.any(|read| writes.iter().any(|write| write.overlaps(read))) {
                break;
            }
            let test = lower.condition(&statement.condition);
            let action = lower.editor(&statement.editor)?;
            writes.extend(&statement.writes);
            lower.shares.wrote(&statement.writes);
            steps.push(Step { test, action });
            at += 1;
        }
        let mut exprs = Vec::new();
        for step in &mut steps {
            step.test.exprs_mut(&mut exprs);
            step.action.exprs_mut(&mut exprs);
        }
        let shared = lower.shares.settle(exprs.into_iter());
        parts.push(Part::Columns(Box::new(Stage {
            statements: from..at,
            constant: Constant::new(program, &steps, &lower),
            steps,
            columns: columns(lower, shared)?,
        })));
    }
    // Its scratch map is for one stage.
    if parts.len() > 1 && program.uses_cache() {
        return Err(Reason::Cache);
    }
    Ok(Plan::Parts { gate, parts })
}

fn columns(lower: Lower, shared: usize) -> Result<Columns, Reason> {
    let context = lower.context;
    let (Some(signal), Some(level)) = (signal_of(context), context.level()) else {
        return Err(Reason::Context);
    };
    let keys: Vec<&[u8]> = lower.keys.iter().map(Vec::as_slice).collect();
    let fields: Vec<Field> = lower.fields.clone();
    let frame = Frame::new(signal, level, &keys, &fields, lower.others);
    let mut frame = frame.ok_or(Reason::TooMany)?;
    frame.put_constant(&lower.constants);
    Ok(Columns {
        frame,
        arounds: lower.arounds,
        memos: lower.memos,
        shared,
        cache: lower.cache,
        keys: keys.len(),
    })
}

/// The union of what two stages need to see of the attributes without slots.
pub(super) fn wider(a: Others, b: Others) -> Others {
    match (a, b) {
        (Others::All, _) | (_, Others::All) => Others::All,
        (Others::Longer(a), Others::Longer(b)) => Others::Longer(a.min(b)),
        (Others::None, other) | (other, Others::None) => other,
    }
}
