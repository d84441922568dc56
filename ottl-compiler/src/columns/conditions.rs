//! Conditions over columns: a selection goes in, and what is left of it is where the condition
//! holds. An operand to the right of `and` or `or` is evaluated only where it still matters.

use std::cmp::Ordering;

use trunkline_proto::batch::frame::{kind, span};

use super::{
    cells::{Cell, DURATION, SPAN_ID, TIME},
    eval::{Exec, View},
    expr::{Expr, Test},
};
use crate::{
    contexts::Context, failure::Failure, ops::CompareOp, program::Condition, run::Row,
    value::compare,
};

impl Exec<'_> {
    /// Leaves in the selection where the condition holds. Where it fails, that is noted.
    pub fn filter(&mut self, test: &Test, selection: &mut Vec<u16>) {
        match test {
            Test::Const(true) => {}
            Test::Const(false) => selection.clear(),
            Test::All(parts) => {
                for part in parts {
                    if selection.is_empty() {
                        return;
                    }
                    self.filter(part, selection);
                }
            }
            Test::Any(parts) => self.any(parts, selection),
            Test::Not(inner) => {
                let mut holds = self.state.copy(selection);
                self.filter(inner, &mut holds);
                self.mark(&holds, true);
                let state = &self.state;
                selection.retain(|p| {
                    state.marks.get(usize::from(*p)) != Some(&true) && !state.has_failed(*p)
                });
                self.mark(&holds, false);
                self.state.give(holds);
            }
            Test::Compare { op, left, right } => self.compare(*op, left, right, selection),
            Test::Value(expr) => {
                let op = self.eval(expr, selection);
                let all = std::mem::take(selection);
                let mut holds = self.state.copy(&[]);
                for p in &all {
                    match self.view(op).get(*p) {
                        (kind::BOOL, 0) => {}
                        (kind::BOOL, _) => holds.push(*p),
                        other => {
                            let name = super::cells::type_name(&self.state.boxed, other);
                            self.fail(*p, Failure::NotBool(name));
                        }
                    }
                }
                *selection = holds;
                self.state.give(all);
            }
            Test::Lifted(inner) => self.lifted(inner, selection),
            Test::Rows(condition) => self.by_rows(condition, selection),
        }
    }

    fn mark(&mut self, selection: &[u16], as_: bool) {
        for p in selection {
            if let Some(mark) = self.state.marks.get_mut(usize::from(*p)) {
                *mark = as_;
            }
        }
    }

    fn any(&mut self, parts: &[Test], selection: &mut Vec<u16>) {
        let mut rest = self.state.copy(selection);
        let mut found = self.state.copy(&[]);
        for part in parts {
            let mut holds = self.state.copy(&rest);
            self.filter(part, &mut holds);
            self.mark(&holds, true);
            let state = &self.state;
            rest.retain(|p| {
                state.marks.get(usize::from(*p)) != Some(&true) && !state.has_failed(*p)
            });
            self.mark(&holds, false);
            found.extend_from_slice(&holds);
            self.state.give(holds);
            if rest.is_empty() {
                break;
            }
        }
        self.mark(&found, true);
        let marks = &self.state.marks;
        selection.retain(|p| marks.get(usize::from(*p)) == Some(&true));
        self.mark(&found, false);
        self.state.give(found);
        self.state.give(rest);
    }

    /// Asks for the first position of each entity around the rows, and takes its answer for the
    /// others in it.
    fn lifted(&mut self, inner: &Test, selection: &mut Vec<u16>) {
        self.find_leaders();
        if self.frame.any_odd() {
            selection.retain(|p| !self.frame.is_odd(*p));
        }
        let mut first = self.state.copy(&[]);
        let mut last = None;
        for p in selection.iter() {
            let leader = self.state.leaders.get(usize::from(*p)).copied();
            if leader != last {
                first.push(*p);
                last = leader;
            }
        }
        let before = self.state.failures.len();
        let mut holds = self.state.copy(&first);
        self.filter(inner, &mut holds);
        let failures = self.state.failures.len();
        let all = std::mem::take(selection);
        let mut out = self.state.copy(&[]);
        let (mut at_first, mut at_holds) = (0, 0);
        let mut answer = (None, false, None);
        for p in &all {
            let leader = self.state.leaders.get(usize::from(*p)).copied();
            if leader != answer.0 {
                let asked = first.get(at_first).copied();
                at_first += 1;
                let yes = asked.is_some() && holds.get(at_holds).copied() == asked;
                at_holds += usize::from(yes);
                let failed = self
                    .state
                    .failures
                    .get(before..failures)
                    .unwrap_or_default();
                let failed = failed.iter().find(|failed| Some(failed.position) == asked);
                answer = (leader, yes, failed.map(|failed| failed.cause.clone()));
            } else if let Some(cause) = &answer.2 {
                let cause = cause.clone();
                self.fail(*p, cause);
            }
            if answer.1 {
                out.push(*p);
            }
        }
        *selection = out;
        self.state.give(all);
        self.state.give(first);
        self.state.give(holds);
    }

    fn by_rows(&mut self, condition: &Condition, selection: &mut Vec<u16>) {
        let all = std::mem::take(selection);
        for p in &all {
            let Some(row) = self.frame.rows().get(usize::from(*p)).copied() else {
                continue;
            };
            let mut cache = Vec::new();
            let context: Context = self.context;
            let result = Row::new(self.data, context, row, &mut cache, self.request)
                .and_then(|mut row| row.holds(condition));
            match result {
                Ok(true) => selection.push(*p),
                Ok(false) => {}
                Err(cause) => self.fail(*p, cause),
            }
        }
        self.state.give(all);
    }

    fn compare(&mut self, op: CompareOp, left: &Expr, right: &Expr, selection: &mut Vec<u16>) {
        let a = self.eval(left, selection);
        let b = self.eval(right, selection);
        let exec = &*self;
        match (exec.view(a), exec.view(b)) {
            (View::Column(column), View::Const((kind::STRING, bits)))
                if matches!(op, CompareOp::Eq | CompareOp::Ne) =>
            {
                let text = exec.bytes(bits);
                let (kinds, payloads) = (column.kinds(), column.bits());
                let equal = op == CompareOp::Eq;
                keep(selection, |p| {
                    let p = usize::from(p);
                    let same = kinds.get(p) == Some(&kind::STRING)
                        && payloads.get(p).is_some_and(|bits| {
                            span::len(*bits) == text.len() && exec.bytes(*bits) == text
                        });
                    same == equal
                });
            }
            (View::Column(column), View::Const((kind::INT, bits))) => {
                let wanted = bits as i64;
                let (kinds, payloads) = (column.kinds(), column.bits());
                keep(selection, |p| {
                    let at = usize::from(p);
                    match (kinds.get(at), payloads.get(at)) {
                        (Some(&kind::INT), Some(bits)) => holds(op, (*bits as i64).cmp(&wanted)),
                        (Some(&kind::DOUBLE), Some(bits)) => {
                            let ordering = f64::from_bits(*bits).partial_cmp(&(wanted as f64));
                            match ordering {
                                Some(ordering) => holds(op, ordering),
                                None => op == CompareOp::Ne,
                            }
                        }
                        _ => op == CompareOp::Ne,
                    }
                });
            }
            (left, right) => {
                let mut failed: Vec<(u16, Failure)> = Vec::new();
                let exec = &*self;
                keep(selection, |p| {
                    let (a, b) = (left.get(p), right.get(p));
                    match exec.quick(op, a, b) {
                        Some(holds) => holds,
                        None => match compare::compare(op, &exec.value(a), &exec.value(b)) {
                            Ok(holds) => holds,
                            Err(cause) => {
                                failed.push((p, cause));
                                false
                            }
                        },
                    }
                });
                for (p, cause) in failed {
                    self.fail(p, cause);
                }
            }
        }
    }

    /// What needs no values made.
    #[inline]
    fn quick(&self, op: CompareOp, a: Cell, b: Cell) -> Option<bool> {
        let (x, y) = (a.1 as i64, b.1 as i64);
        Some(match (a.0, b.0) {
            (kind::INT, kind::INT) | (TIME, TIME) | (DURATION, DURATION) => holds(op, x.cmp(&y)),
            (kind::BOOL, kind::BOOL) => holds(op, x.cmp(&y)),
            (SPAN_ID, SPAN_ID) => match op {
                CompareOp::Eq => x == y,
                CompareOp::Ne => x != y,
                _ => false,
            },
            (kind::NIL, kind::NIL) => matches!(op, CompareOp::Eq | CompareOp::Le | CompareOp::Ge),
            (kind::STRING, kind::STRING) => holds(op, self.bytes(a.1).cmp(self.bytes(b.1))),
            (kind::NIL, kind::BOOL | kind::INT | kind::DOUBLE | kind::STRING)
            | (kind::BOOL | kind::INT | kind::DOUBLE | kind::STRING, kind::NIL)
            | (kind::STRING, kind::INT | kind::DOUBLE | kind::BOOL)
            | (kind::INT | kind::DOUBLE | kind::BOOL, kind::STRING) => op == CompareOp::Ne,
            _ => return None,
        })
    }
}

/// Keeps the positions for which `holds` is true, in order.
#[inline(always)]
fn keep(selection: &mut Vec<u16>, mut holds: impl FnMut(u16) -> bool) {
    // Every position is written, and counted if it stays: no branch to be foreseen.
    let mut kept = 0;
    for at in 0..selection.len() {
        let Some(p) = selection.get(at).copied() else {
            break;
        };
        let stays = holds(p);
        if let Some(slot) = selection.get_mut(kept) {
            *slot = p;
        }
        kept += usize::from(stays);
    }
    selection.truncate(kept);
}

#[inline(always)]
fn holds(op: CompareOp, ordering: Ordering) -> bool {
    match op {
        CompareOp::Eq => ordering.is_eq(),
        CompareOp::Ne => ordering.is_ne(),
        CompareOp::Lt => ordering.is_lt(),
        CompareOp::Le => ordering.is_le(),
        CompareOp::Gt => ordering.is_gt(),
        CompareOp::Ge => ordering.is_ge(),
    }
}
