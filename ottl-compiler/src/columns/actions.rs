//! Editors over columns. What they change stays in the frame until all statements of the stage
//! have run.

use trunkline_proto::batch::frame::{Change, Column, bytes_of, kind, span};

use super::{
    cells::{self, BOXED, Cell, SPAN_ID, TIME, TRACE_ID},
    eval::{Exec, Op, View},
    expr::{Action, Expr, KeepKeys, Take},
    patterns::Pattern,
    state::Known,
};
use crate::{
    contexts::Width,
    failure::Failure,
    functions,
    program::{Args, Argument, Call},
    run,
    types::Type,
    value::Value,
};

impl Exec<'_> {
    /// Runs an editor on a selection.
    pub fn act(&mut self, action: &Action, selection: &mut Vec<u16>) {
        match action {
            Action::Nothing => {}
            Action::Set { slot, take, value } => self.set(*slot, *take, value, selection),
            Action::Remove(slot) => self.frame.remove(*slot, selection),
            Action::Keep(keep) => self.keep(keep, selection),
            Action::Map(map) => self.edit_map(map, selection),
            Action::Assign { spot, value } => self.assign(spot, value, selection),
            Action::Edit { spot, call, args } => self.edit(spot, call, args, selection),
            Action::Truncate {
                limit,
                safe,
                marker,
            } => self.truncate(*limit, *safe, marker, selection),
            Action::Replace {
                slot,
                call,
                whole,
                pattern,
                memo,
            } => self.replace(*slot, call, *whole, pattern.as_ref(), *memo, selection),
        }
    }

    fn set(&mut self, slot: usize, take: Take, value: &Expr, selection: &mut Vec<u16>) {
        let value = self.eval(value, selection);
        let slot = self.slot(slot);
        let writable = |of: u8| of < kind::FREE;
        match (take, value) {
            (Take::Attribute, Op::Const(cell)) if writable(cell.0) => {
                self.frame.set(slot, selection, |_| cell);
            }
            // Columns of the frame, and of what is around it, have only what attributes have.
            (Take::Attribute, Op::Slot(from)) => self.frame.set_from(slot, selection, from),
            (Take::Attribute, Op::Around(at)) => {
                if let Some((_, column)) = self.state.around.get(at) {
                    self.frame
                        .set(slot, selection, |p| column.get(usize::from(p)));
                }
            }
            (Take::Attribute, Op::Temp(at)) if self.are(at, selection, |of| of < kind::FREE) => {
                if let Some(column) = self.state.temps.get(at) {
                    self.frame
                        .set(slot, selection, |p| column.get(usize::from(p)));
                }
            }
            (Take::Text, Op::Temp(at)) if self.are(at, selection, |of| of == kind::STRING) => {
                if let Some(column) = self.state.temps.get(at) {
                    self.frame
                        .set(slot, selection, |p| column.get(usize::from(p)));
                }
            }
            _ => {
                let taken = self.each(selection, |exec, p| {
                    let cell = exec.view(value).get(p);
                    exec.taken(take, p, cell)
                });
                if self.frame.any_odd() {
                    selection.retain(|p| !self.frame.is_odd(*p));
                }
                if let Op::Temp(at) = taken
                    && let Some(column) = self.state.temps.get(at)
                {
                    self.frame
                        .set(slot, selection, |p| column.get(usize::from(p)));
                }
            }
        }
    }

    /// Whether all values of a column are of such kinds.
    fn are(&self, temp: usize, selection: &[u16], such: impl Fn(u8) -> bool) -> bool {
        let Some(column) = self.state.temps.get(temp) else {
            return false;
        };
        let kinds = column.kinds();
        let of = |p: &u16| kinds.get(usize::from(*p)).copied().unwrap_or(0);
        selection.iter().all(|p| such(of(p)))
    }

    /// What a target makes of a value. Where the reference leaves something behind although it
    /// fails, the row is given up.
    pub fn taken(&mut self, take: Take, p: u16, cell: Cell) -> Result<Cell, Failure> {
        let wanted = |wanted| Failure::Setter {
            wanted,
            got: cells::type_name(&self.state.boxed, cell),
        };
        if !matches!(take, Take::Attribute | Take::Body) && cell.0 == kind::NIL {
            return Err(Failure::SetNil);
        }
        match (take, cell) {
            (Take::Attribute | Take::Body, (of, _)) if of < kind::FREE => Ok(cell),
            (Take::Attribute | Take::Body, (BOXED, index)) => {
                let mut any = Vec::new();
                let of = match self.state.boxed_value(index) {
                    Some(value) if value.encode(&mut any).is_ok() => match value.of() {
                        Type::Map => kind::MAP,
                        _ => kind::LIST,
                    },
                    _ => {
                        self.frame.give_up(p);
                        return Ok((kind::NIL, 0));
                    }
                };
                let bits = self.frame.put(&any).ok_or_else(cells::full)?;
                Ok((of, bits))
            }
            (Take::Attribute | Take::Body, _) => {
                self.frame.give_up(p);
                Ok((kind::NIL, 0))
            }
            (Take::Text, (kind::STRING, _)) => Ok(cell),
            (Take::Text, _) => Err(wanted("string")),
            (Take::Int(width), (kind::INT, bits)) => Ok((
                kind::INT,
                match width {
                    Width::I32 => i64::from(bits as i32) as u64,
                    Width::U32 => u64::from(bits as u32),
                    Width::U32Checked if bits > u64::from(u32::MAX) => {
                        return Err(Failure::Function(format!(
                            "{} is not between 0 and {}",
                            bits as i64,
                            u32::MAX
                        )));
                    }
                    Width::U32Checked | Width::U64 | Width::I64 => bits,
                },
            )),
            (Take::Nanos, (kind::INT, _)) => Ok(cell),
            (Take::Int(_) | Take::Nanos, _) => Err(wanted("int64")),
            (Take::Elapsed, (kind::INT, bits)) => match i64::try_from(bits) {
                Ok(_) => Ok(cell),
                Err(_) => Err(Failure::Function(run::NEGATIVE_DURATION.to_owned())),
            },
            (Take::Index, (kind::INT, bits)) => match bits as i64 {
                index if index < i64::from(i32::MAX) => {
                    Ok((kind::INT, i64::from(index as i32) as u64))
                }
                _ => Err(Failure::Function(run::INDEX_TOO_LARGE.to_owned())),
            },
            (Take::Elapsed | Take::Index, _) => Err(wanted("int64")),
            (Take::Dictionary, (kind::STRING, bits)) => {
                if let Some((_, index)) = self.state.interned.filter(|(of, _)| *of == bits) {
                    return Ok((kind::INT, index));
                }
                // Text of the request may move when it grows.
                let mut text = std::mem::take(&mut self.state.text);
                text.clear();
                text.extend_from_slice(self.bytes(bits));
                let index = self.data.intern_string(&text);
                self.state.text = text;
                let index = index? as u64;
                self.state.interned = Some((bits, index));
                Ok((kind::INT, index))
            }
            (Take::Dictionary, _) => Err(wanted("string")),
            (Take::Time, (TIME, bits)) => Ok((kind::INT, bits)),
            (Take::Time, (BOXED, index)) => match self.state.boxed_value(index) {
                Some(Value::Time(time)) => Ok((kind::INT, time.unix_nanos() as u64)),
                _ => Err(wanted(Type::Time.name())),
            },
            (Take::Time, _) => Err(wanted(Type::Time.name())),
            (Take::SpanId, (SPAN_ID, 0)) => Ok((kind::NIL, 0)),
            (Take::SpanId, (SPAN_ID, bits)) => {
                let bits = self.frame.put(&bits.to_le_bytes());
                Ok((kind::BYTES, bits.ok_or_else(cells::full)?))
            }
            (Take::SpanId, _) => Err(wanted(Type::SpanId.name())),
            (Take::TraceId, (TRACE_ID, bits)) => {
                match self.bytes(bits).iter().all(|byte| *byte == 0) {
                    true => Ok((kind::NIL, 0)),
                    false => Ok((kind::BYTES, bits)),
                }
            }
            (Take::TraceId, _) => Err(wanted(Type::TraceId.name())),
        }
    }

    fn keep(&mut self, keep: &KeepKeys, selection: &[u16]) {
        let stays = |key: &[u8]| match keep {
            KeepKeys::Matching(regex) => regex.is_match(key),
            KeepKeys::NotMatching(regex) => !regex.is_match(key),
            KeepKeys::Only(keys) => keys.iter().any(|kept| kept == key),
        };
        for slot in 0..self.keys {
            if self.frame.key(slot).is_some_and(|key| !stays(key)) {
                self.frame.remove(slot, selection);
            }
        }
        // Keys come in the same order from row to row.
        let mut known: Vec<(Vec<u8>, bool)> = Vec::new();
        for p in selection {
            let mut at = 0;
            self.frame.change_others(self.data, *p, |_, key, _, _| {
                let verdict = match known.get(at) {
                    Some((last, verdict)) if last == key => *verdict,
                    _ => {
                        let verdict = stays(key);
                        match known.get_mut(at) {
                            Some(slot) => *slot = (key.to_vec(), verdict),
                            None => known.push((key.to_vec(), verdict)),
                        }
                        verdict
                    }
                };
                at += 1;
                match verdict {
                    true => Change::None,
                    false => Change::Remove,
                }
            });
        }
    }

    fn truncate(&mut self, limit: usize, safe: bool, marker: &[u8], selection: &[u16]) {
        let mut full = false;
        for slot in 0..self.keys {
            let long = |column: &Column, p: u16| {
                let (of, bits) = column.get(usize::from(p));
                of == kind::STRING && span::len(bits) > limit
            };
            if self.frame.is_shorter(slot, limit) {
                continue;
            }
            let mut cut = self.state.copy(selection);
            let column = self.frame.column(slot);
            cut.retain(|p| long(column, *p));
            for p in &cut {
                let (_, bits) = self.frame.column(slot).get(usize::from(*p));
                let text = bytes_of(self.frame.heap(), self.data, bits);
                let len = cut_at(text, limit, safe, marker);
                let short = match marker.is_empty() {
                    true => span::cut(bits, len),
                    false => {
                        let from = self.frame.heap().len();
                        self.frame.copy_to_heap(self.data, span::cut(bits, len));
                        self.frame.heap_mut().extend_from_slice(marker);
                        match self.frame.span_from(from) {
                            Some(bits) => bits,
                            None => {
                                full = true;
                                continue;
                            }
                        }
                    }
                };
                self.frame.set(slot, &[*p], |_| (kind::STRING, short));
            }
            self.state.give(cut);
        }
        let data = &*self.data;
        let rows = match self.frame.any_others() {
            true => selection,
            false => &[],
        };
        for p in rows {
            self.frame.change_others(data, *p, |heap, _, of, bits| {
                if of != kind::STRING || span::len(bits) <= limit {
                    return Change::None;
                }
                let text = bytes_of(heap, data, bits);
                let len = cut_at(text, limit, safe, marker);
                if marker.is_empty() {
                    return Change::Set(kind::STRING, span::cut(bits, len));
                }
                let short = [text.get(..len).unwrap_or_default(), marker].concat();
                let from = heap.len();
                heap.extend_from_slice(&short);
                if heap.len() > span::MOST {
                    heap.truncate(from);
                    full = true;
                    return Change::None;
                }
                Change::Set(kind::STRING, span::heap(from, short.len()))
            });
        }
        if full {
            // Cannot be told from row to row any more: let all of them be done by rows.
            selection.iter().for_each(|p| self.frame.give_up(*p));
        }
    }

    fn replace(
        &mut self,
        slot: usize,
        call: &Call,
        whole: bool,
        pattern: Option<&Pattern>,
        memo: usize,
        selection: &mut Vec<u16>,
    ) {
        let slot = self.slot(slot);
        let args = Args::of_literals(call);
        let by = match call.args.get(2).and_then(Argument::literal) {
            Some(Value::String(by)) => by.as_ref(),
            _ => &[],
        };
        let column = Op::Slot(slot);
        selection.retain(|p| self.view(column).get(*p).0 == kind::STRING);
        // What stays as it is comes back as nothing.
        let replaced = self.each(selection, |exec, p| {
            let (_, bits) = exec.view(column).get(p);
            let known = match exec.state.memos.get_mut(memo) {
                Some(memo) => memo.find(exec.frame.heap(), exec.data, bits),
                None => Known::Not(None),
            };
            let free = match known {
                Known::Cell(cell) => return Ok(cell),
                Known::Not(free) => free,
            };
            if let Some(pattern) = pattern
                && !span::is_heap(bits)
            {
                // The heap grows by what is made of a text that lies elsewhere.
                let mut heap = std::mem::take(exec.frame.heap_mut());
                let from = heap.len();
                let any = pattern.replace(exec.bytes(bits), by, &mut heap);
                *exec.frame.heap_mut() = heap;
                if let Some(any) = any {
                    let cell = match any {
                        true => exec.string_from(from)?,
                        false => (kind::NIL, 0),
                    };
                    if let Some(memo) = exec.state.memos.get_mut(memo) {
                        memo.keep(free, bits, cell);
                    }
                    return Ok(cell);
                }
            }
            let mut out = std::mem::take(&mut exec.state.text);
            out.clear();
            let text = exec.bytes(bits);
            let quick = pattern.and_then(|pattern| pattern.replace(text, by, &mut out));
            let result = match quick {
                Some(any) => Ok(any),
                None => functions::replaced(&args, whole, 1, text, &mut out),
            };
            let cell = match result {
                Ok(false) => Ok((kind::NIL, 0)),
                Ok(true) => exec.text(&out),
                Err(cause) => Err(cause),
            };
            exec.state.text = out;
            let cell = cell?;
            if let Some(memo) = exec.state.memos.get_mut(memo) {
                memo.keep(free, bits, cell);
            }
            Ok(cell)
        });
        if let (Op::Temp(at), View::Column(column)) = (replaced, self.view(replaced)) {
            let kinds = column.kinds();
            selection.retain(|p| kinds.get(usize::from(*p)) == Some(&kind::STRING));
            if let Some(column) = self.state.temps.get(at) {
                self.frame
                    .set(slot, selection, |p| column.get(usize::from(p)));
            }
        }
    }
}

/// Where a text that is too long is cut off.
fn cut_at(text: &[u8], limit: usize, safe: bool, marker: &[u8]) -> usize {
    let mut cut = limit.saturating_sub(marker.len());
    while safe && cut > 0 && text.get(cut).is_some_and(|byte| byte & 0xc0 == 0x80) {
        cut -= 1;
    }
    cut
}
