//! Values and conditions over columns. A kernel takes a selection of positions; where it fails
//! the failure is noted and the position leaves the selection, so that nothing more is computed
//! there.

use std::borrow::Cow;

use trunkline_proto::batch::{
    Data, Level,
    frame::{Column, Frame, bytes_of, kind, span},
};

use super::{
    cells::{self, Cell, DURATION, SPAN_ID, TIME, TRACE_ID, cell},
    expr::{Around, Expr, Form, What},
    lower::FIELDS,
    state::State,
};
use crate::{
    contexts::Context,
    failure::Failure,
    go::text,
    ops::MathOp,
    run::{self, DEPRECATED_KINDS, KINDS, Request, Row},
    value::{self, Value, index, math},
};

/// A run of a stage over one chunk of rows.
pub(super) struct Exec<'a> {
    pub context: Context,
    pub request: &'a Request,
    pub data: &'a mut Data,
    pub frame: &'a mut Frame,
    pub arounds: &'a [Around],
    /// Number of slots of attributes.
    pub keys: usize,
    pub state: &'a mut State,
    /// The step that runs.
    pub step: usize,
}

/// Where a value over rows is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Const(Cell),
    Slot(usize),
    Around(usize),
    Shared(usize),
    Cache,
    Temp(usize),
}

/// A value over rows, to be read.
#[derive(Clone, Copy)]
pub(super) enum View<'v> {
    Const(Cell),
    Column(&'v Column),
}

impl View<'_> {
    #[inline(always)]
    pub fn get(self, position: u16) -> Cell {
        match self {
            View::Const(cell) => cell,
            View::Column(column) => column.get(usize::from(position)),
        }
    }
}

impl<'a> Exec<'a> {
    #[inline]
    pub fn slot(&self, slot: usize) -> usize {
        match slot.checked_sub(FIELDS) {
            Some(field) => self.keys + field,
            None => slot,
        }
    }

    pub fn view(&self, op: Op) -> View<'_> {
        match op {
            Op::Const(cell) => View::Const(cell),
            Op::Slot(slot) => View::Column(self.frame.column(slot)),
            Op::Around(at) => match self.state.around.get(at) {
                Some((_, column)) => View::Column(column),
                None => View::Const((kind::NIL, 0)),
            },
            Op::Cache => View::Column(&self.state.cache),
            Op::Shared(at) => match self.state.shared.get(at) {
                Some(shared) => View::Column(&shared.column),
                None => View::Const((kind::NIL, 0)),
            },
            Op::Temp(at) => match self.state.temps.get(at) {
                Some(column) => View::Column(column),
                None => View::Const((kind::NIL, 0)),
            },
        }
    }

    pub fn value(&self, cell: Cell) -> Value {
        cells::value(self.frame.heap(), self.data, &self.state.boxed, cell)
    }

    pub fn bytes(&self, bits: u64) -> &[u8] {
        bytes_of(self.frame.heap(), self.data, bits)
    }

    pub fn fail(&mut self, position: u16, cause: Failure) {
        self.state.fail(self.step, position, cause);
    }

    pub fn temp(&mut self) -> usize {
        self.state.temp(self.frame.rows().len())
    }

    /// Writes what `make` gives for each position into a column; where it fails the position
    /// leaves the selection.
    pub fn each(
        &mut self,
        selection: &mut Vec<u16>,
        mut make: impl FnMut(&mut Self, u16) -> Result<Cell, Failure>,
    ) -> Op {
        let temp = self.temp();
        self.each_into(temp, selection, &mut make);
        Op::Temp(temp)
    }

    fn each_into(
        &mut self,
        temp: usize,
        selection: &mut Vec<u16>,
        make: &mut impl FnMut(&mut Self, u16) -> Result<Cell, Failure>,
    ) {
        let before = self.state.failures.len();
        let mut out = match self.state.temps.get_mut(temp) {
            Some(column) => std::mem::take(column),
            None => return,
        };
        let (kinds, bits) = out.parts_mut();
        for position in selection.iter() {
            match make(self, *position) {
                Ok(cell) => {
                    let p = usize::from(*position);
                    if let (Some(kind), Some(payload)) = (kinds.get_mut(p), bits.get_mut(p)) {
                        (*kind, *payload) = cell;
                    }
                }
                Err(cause) => self.fail(*position, cause),
            }
        }
        if let Some(column) = self.state.temps.get_mut(temp) {
            *column = out;
        }
        self.state.drop_failed(selection, before);
    }

    /// The value of an expression where it is asked for.
    pub fn eval(&mut self, expr: &Expr, selection: &mut Vec<u16>) -> Op {
        match expr {
            Expr::Const(cell) => Op::Const(*cell),
            Expr::Slot(slot, form) => {
                let op = Op::Slot(self.slot(*slot));
                self.formed(op, *form, selection)
            }
            Expr::Around(at, form) => {
                self.load_around(*at);
                if self.frame.any_odd() {
                    selection.retain(|p| !self.frame.is_odd(*p));
                }
                self.formed(Op::Around(*at), *form, selection)
            }
            Expr::Nested { of, keys, body } => {
                let of = self.eval(of, selection);
                self.each(selection, |exec, p| exec.nested(of, p, keys, *body))
            }
            Expr::Keyed(keyed) => self.keyed(keyed, selection),
            Expr::Math { first, rest } => {
                let mut left = self.eval(first, selection);
                for (operator, operand) in rest {
                    let right = self.eval(operand, selection);
                    left = self.each(selection, |exec, p| {
                        let (a, b) = (exec.view(left).get(p), exec.view(right).get(p));
                        exec.calculate(*operator, a, b)
                    });
                }
                left
            }
            Expr::Negate(operand) => {
                let operand = self.eval(operand, selection);
                self.each(selection, |exec, p| match exec.view(operand).get(p) {
                    (kind::INT, bits) => Ok((kind::INT, bits.wrapping_neg())),
                    other => {
                        let negative = math::negate(&exec.value(other))?;
                        cell(exec.frame, &mut exec.state.boxed, negative)
                    }
                })
            }
            Expr::IsRootSpan(slot) => {
                let slot = Op::Slot(self.slot(*slot));
                self.each(selection, |exec, p| {
                    let (_, bits) = exec.view(slot).get(p);
                    let is_root = exec.bytes(bits).iter().all(|byte| *byte == 0);
                    Ok((kind::BOOL, is_root.into()))
                })
            }
            Expr::Coalesce(parts) => self.coalesce(parts, selection),
            Expr::Call(call) => self.call(call, selection),
            Expr::Index { of, keys } => {
                let of = self.eval(of, selection);
                // A key is found out only where those before it lead somewhere.
                let mut found = of;
                for key in keys {
                    let key = self.eval(key, selection);
                    found = self.each(selection, |exec, p| {
                        let value = exec.value(exec.view(found).get(p));
                        let key = exec.value(exec.view(key).get(p));
                        let part = index::converter(&value, &key)?;
                        cell(exec.frame, &mut exec.state.boxed, part)
                    });
                }
                found
            }
            Expr::List(items) => {
                let ops: Vec<Op> = items.iter().map(|of| self.eval(of, selection)).collect();
                self.each(selection, |exec, p| {
                    let items = ops.iter().map(|op| exec.value(exec.view(*op).get(p)));
                    let list = Value::List(items.collect());
                    cell(exec.frame, &mut exec.state.boxed, list)
                })
            }
            Expr::Map(entries) => {
                let values = entries.iter().map(|(_, of)| self.eval(of, selection));
                let ops: Vec<Op> = values.collect();
                self.each(selection, |exec, p| {
                    let values = ops.iter().map(|op| exec.value(exec.view(*op).get(p)));
                    let values: Vec<Value> = values.collect();
                    let entries = entries.iter().map(|(key, _)| key).zip(&values);
                    let map = value::map_literal(entries)?;
                    cell(exec.frame, &mut exec.state.boxed, map)
                })
            }
            Expr::Attributes => self.attributes(selection),
            Expr::AttributeCount => self.attribute_count(selection),
            // Copied, for statements after it may write to it.
            Expr::Cache => self.each(selection, |exec, p| Ok(exec.view(Op::Cache).get(p))),
            Expr::Shared { at, of } => self.shared(*at, of, selection),
            Expr::Rows { node, lifted } => {
                let make = |exec: &mut Self, p: u16| {
                    let Some(row) = exec.frame.rows().get(usize::from(p)).copied() else {
                        return Ok((kind::NIL, 0));
                    };
                    let mut cache = Vec::new();
                    let mut row = Row::new(exec.data, exec.context, row, &mut cache, exec.request)?;
                    let value = row.value(node)?.into_owned();
                    cell(exec.frame, &mut exec.state.boxed, value)
                };
                match lifted {
                    true => self.by_group(selection, make),
                    false => self.each(selection, make),
                }
            }
        }
    }

    /// As [`Exec::each`], computed once for all positions in one entity.
    fn by_group(
        &mut self,
        selection: &mut Vec<u16>,
        mut make: impl FnMut(&mut Self, u16) -> Result<Cell, Failure>,
    ) -> Op {
        self.find_leaders();
        let mut last: Option<(u16, Result<Cell, Failure>)> = None;
        self.each(selection, |exec, p| {
            let leader = exec.state.leaders.get(usize::from(p)).copied().unwrap_or(p);
            match &last {
                Some((of, result)) if *of == leader => result.clone(),
                _ => {
                    let result = make(exec, p);
                    last = Some((leader, result.clone()));
                    result
                }
            }
        })
    }

    /// A column in another form.
    fn formed(&mut self, of: Op, form: Form, selection: &mut Vec<u16>) -> Op {
        match form {
            Form::Plain => of,
            Form::Time => self.each(selection, |exec, p| {
                let (_, bits) = exec.view(of).get(p);
                Ok((TIME, bits))
            }),
            Form::SpanId => self.each(selection, |exec, p| {
                let (_, bits) = exec.view(of).get(p);
                let id = exec.bytes(bits).try_into().unwrap_or_default();
                Ok((SPAN_ID, u64::from_le_bytes(id)))
            }),
            Form::TraceId => self.each(selection, |exec, p| {
                let (_, bits) = exec.view(of).get(p);
                let whole = span::len(bits) == 16;
                Ok((TRACE_ID, if whole { bits } else { cells::zeros(16) }))
            }),
            Form::IdText(len) => self.each(selection, |exec, p| {
                let (_, bits) = exec.view(of).get(p);
                let bits = if span::len(bits) == len {
                    bits
                } else {
                    cells::zeros(len)
                };
                let text = hex::encode(exec.bytes(bits));
                exec.text(text.as_bytes())
            }),
            Form::KindText | Form::DeprecatedKindText => {
                let names = match form {
                    Form::KindText => KINDS,
                    _ => DEPRECATED_KINDS,
                };
                self.each(selection, |exec, p| {
                    let (_, bits) = exec.view(of).get(p);
                    let name = usize::try_from(bits as i64).ok();
                    let name = name.and_then(|kind| names.get(kind)).copied();
                    exec.text(name.unwrap_or_default().as_bytes())
                })
            }
            Form::Dictionary => {
                let mut last = None;
                let found = self.each(selection, |exec, p| {
                    let (_, index) = exec.view(of).get(p);
                    if let Some((_, text)) = last.filter(|(of, _)| *of == index) {
                        return Ok(text);
                    }
                    match Frame::dictionary_text(exec.data, index as i32) {
                        Ok(text) => {
                            last = Some((index, text));
                            Ok(text)
                        }
                        // The evaluator by rows says what is wrong.
                        Err(_) => {
                            exec.frame.give_up(p);
                            Ok((kind::NIL, 0))
                        }
                    }
                });
                if self.frame.any_odd() {
                    selection.retain(|p| !self.frame.is_odd(*p));
                }
                found
            }
            Form::Text => self.each(selection, |exec, p| match exec.view(of).get(p) {
                text @ (kind::STRING, _) => Ok(text),
                other => {
                    let (mut any, mut out) = (Vec::new(), Vec::new());
                    exec.value(other).encode(&mut any)?;
                    text::as_text(&trunkline_proto::batch::Value::read(&any)?, &mut out);
                    exec.text(&out)
                }
            }),
        }
    }

    /// A string in the heap.
    pub fn text(&mut self, text: &[u8]) -> Result<Cell, Failure> {
        let bits = self.frame.put(text).ok_or_else(cells::full)?;
        Ok((kind::STRING, bits))
    }

    pub fn nested(
        &mut self,
        of: Op,
        p: u16,
        keys: &[index::Key],
        body: bool,
    ) -> Result<Cell, Failure> {
        let whole = self.view(of).get(p);
        let there = self.is_there(of, p);
        self.nested_in(whole, there, keys, body)
    }

    /// What keys lead to within a value that is there or not.
    pub fn nested_in(
        &mut self,
        whole: Cell,
        there: bool,
        keys: &[index::Key],
        body: bool,
    ) -> Result<Cell, Failure> {
        let any;
        let any = match whole {
            (kind::MAP | kind::LIST, bits) => self.bytes(bits),
            // A key that is not there has nothing in it; a value that is empty takes no key.
            (kind::NIL, _) if !body && !there => return Ok((kind::NIL, 0)),
            other => {
                let mut bytes = Vec::new();
                self.value(other).encode(&mut bytes)?;
                any = bytes;
                &any
            }
        };
        if body {
            run::check_body(any)?;
        }
        let found = index::path(Some(any), keys)?;
        cell(self.frame, &mut self.state.boxed, found)
    }

    /// Whether what a nested value is in is there at all.
    fn is_there(&self, of: Op, p: u16) -> bool {
        match of {
            Op::Slot(slot) => self.frame.column(slot).is_there(usize::from(p)),
            _ => false,
        }
    }

    fn calculate(&mut self, op: MathOp, a: Cell, b: Cell) -> Result<Cell, Failure> {
        let (x, y) = (a.1 as i64, b.1 as i64);
        let fast = match (op, a.0, b.0) {
            (MathOp::Add, kind::INT, kind::INT) => Some((kind::INT, x.wrapping_add(y))),
            (MathOp::Sub, kind::INT, kind::INT) => Some((kind::INT, x.wrapping_sub(y))),
            (MathOp::Mul, kind::INT, kind::INT) => Some((kind::INT, x.wrapping_mul(y))),
            (MathOp::Sub, TIME, TIME) => x.checked_sub(y).map(|nanos| (DURATION, nanos)),
            (MathOp::Add, TIME, DURATION) => x.checked_add(y).map(|nanos| (TIME, nanos)),
            (MathOp::Sub, TIME, DURATION) => x.checked_sub(y).map(|nanos| (TIME, nanos)),
            _ => None,
        };
        if let Some((of, bits)) = fast {
            return Ok((of, bits as u64));
        }
        let result = math::calculate(op, &self.value(a), &self.value(b))?;
        cell(self.frame, &mut self.state.boxed, result)
    }

    fn coalesce(&mut self, parts: &[Expr], selection: &mut Vec<u16>) -> Op {
        let temp = self.temp();
        self.each_into(temp, selection, &mut |_, _| Ok((kind::NIL, 0)));
        let before = self.state.failures.len();
        let mut rest = self.state.copy(selection);
        for part in parts {
            let value = self.eval(part, &mut rest);
            let mut found = self.state.copy(&rest);
            found.retain(|p| self.view(value).get(*p).0 != kind::NIL);
            self.each_into(temp, &mut found, &mut |exec, p| Ok(exec.view(value).get(p)));
            rest.retain(|p| self.view(value).get(*p).0 == kind::NIL);
            self.state.give(found);
        }
        self.state.give(rest);
        self.state.drop_failed(selection, before);
        Op::Temp(temp)
    }

    /// Finds out which positions are in the same entity.
    pub fn find_leaders(&mut self) {
        if !self.state.leaders.is_empty() {
            return;
        }
        let level = self.frame.level();
        let mut leader = (0, None);
        for (position, row) in self.frame.rows().iter().enumerate() {
            let parent = self.data.parent(level, *row);
            if position == 0 || parent != leader.1 {
                leader = (position as u16, parent);
            }
            self.state.leaders.push(leader.0);
        }
    }

    /// Loads a column over what is around the rows, if it is not there yet. Rows around which
    /// something is not valid are given up.
    pub fn load_around(&mut self, at: usize) {
        let Some((loaded, column)) = self.state.around.get_mut(at) else {
            return;
        };
        if std::mem::replace(loaded, true) {
            return;
        }
        let mut column = std::mem::take(column);
        column.resize(self.frame.rows().len());
        let (kinds, bits) = column.parts_mut();
        let level = self.frame.level();
        let (mut last, mut within) = (None, None);
        for position in 0..kinds.len() {
            let (Some(row), Some(around)) = (
                self.frame.rows().get(position).copied(),
                self.arounds.get(at),
            ) else {
                continue;
            };
            // Rows in the same entity follow each other.
            let parent = self.data.parent(level, row);
            if parent.is_some()
                && parent == within
                && let Some((_, Some(cell))) = last
                && let (Some(kind), Some(payload)) =
                    (kinds.get_mut(position), bits.get_mut(position))
            {
                (*kind, *payload) = cell;
                continue;
            }
            within = parent;
            let Some(above) = above(self.data, level, row, around.level) else {
                self.frame.give_up(position as u16);
                continue;
            };
            let cell = match last {
                Some((of, cell)) if of == above => cell,
                _ => match &around.what {
                    What::Attribute(key) => {
                        Frame::attribute_of(self.data, around.level, above, key)
                    }
                    What::Field(field) => Frame::field_of(self.data, around.level, above, *field),
                }
                .ok(),
            };
            last = Some((above, cell));
            match cell {
                Some(cell) => {
                    if let (Some(kind), Some(payload)) =
                        (kinds.get_mut(position), bits.get_mut(position))
                    {
                        (*kind, *payload) = cell;
                    }
                }
                None => self.frame.give_up(position as u16),
            }
        }
        if let Some((_, slot)) = self.state.around.get_mut(at) {
            *slot = column;
        }
    }

    /// A value as an argument.
    pub fn owned(&self, op: Op, p: u16) -> Cow<'static, Value> {
        Cow::Owned(self.value(self.view(op).get(p)))
    }
}

/// The row of a level that a row is in.
pub(super) fn above(data: &Data, level: Level, row: u32, wanted: Level) -> Option<u32> {
    let (mut level, mut row) = (level, row);
    while level != wanted {
        row = data.parent(level, row)?;
        level = match level {
            Level::Event | Level::Link | Level::DataPoint | Level::Sample => Level::Item,
            Level::Item => Level::Scope,
            Level::Scope => Level::Resource,
            _ => return None,
        };
    }
    Some(row)
}
