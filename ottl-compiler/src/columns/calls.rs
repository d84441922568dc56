//! Converters over columns: those with kernels of their own, and every other by its function of
//! values. A pure function of one string is computed once for each distinct one.

use std::borrow::Cow;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha512};
use smallvec::SmallVec;
use trunkline_proto::batch::frame::kind;

use super::{
    cells::{self, Cell, cell},
    eval::{Exec, Op},
    expr::{Arg, CallExpr, Expr, Kernel},
    hash::sha256,
    state::Known,
};
use crate::{
    failure::Failure,
    program::{Args, Argument, Call},
    value::{
        Value,
        coerce::{Want, coerce},
    },
};

/// Where an argument's value is.
pub(super) enum Operand {
    Known,
    Value(Op),
    Items(SmallVec<[Op; 4]>),
}

/// The arguments of an editor over rows. Those of a function that need not ask for them have
/// failures of their own: by argument and position, what is wrong and how many elements of a list
/// are before it.
pub(super) struct Operands {
    of: SmallVec<[Operand; 4]>,
    failed: Vec<Missing>,
}

struct Missing {
    argument: usize,
    /// Of a list, the element.
    item: usize,
    position: u16,
    cause: Failure,
}

impl Exec<'_> {
    /// The arguments of an editor.
    pub fn operands_of(&mut self, call: &Call, args: &[Arg], selection: &mut Vec<u16>) -> Operands {
        if !call.function.by_need {
            let of = self.operands(call, args, selection);
            let failed = Vec::new();
            return Operands { of, failed };
        }
        let mut of = SmallVec::new();
        let mut failed = Vec::new();
        for (argument, arg) in args.iter().enumerate() {
            let mut one = |exec: &mut Self, item, expr| {
                let (op, causes) = exec.caught(expr, selection);
                failed.extend(causes.into_iter().map(|(position, cause)| Missing {
                    argument,
                    item,
                    position,
                    cause,
                }));
                op
            };
            of.push(match arg {
                Arg::Known => Operand::Known,
                Arg::Value(expr) => Operand::Value(one(self, 0, expr)),
                Arg::Items(exprs) => {
                    let ops = exprs.iter().enumerate();
                    Operand::Items(ops.map(|(item, expr)| one(self, item, expr)).collect())
                }
            });
        }
        Operands { of, failed }
    }

    /// The arguments at a position.
    pub fn args_at<'c>(
        &self,
        call: &'c Call,
        operands: &Operands,
        p: u16,
    ) -> Result<Args<'c>, Failure> {
        let (mut values, mut failed) = (SmallVec::new(), Vec::new());
        if !call.function.by_need {
            values = self.arguments(call, &operands.of, p)?;
        } else {
            for (at, (argument, operand)) in call.args.iter().zip(&operands.of).enumerate() {
                let missing = |item| {
                    let mut all = operands.failed.iter();
                    let of = all.find(|of| (of.argument, of.item, of.position) == (at, item, p));
                    of.map_or(Ok(()), |of| Err(of.cause.clone()))
                };
                let want = |op: Op, item, want| {
                    missing(item).and_then(|()| coerce(self.owned(op, p), want))
                };
                let mut items = Vec::new();
                let value = match (argument, operand) {
                    (Argument::Value { want: of, .. }, Operand::Value(op)) => want(*op, 0, *of),
                    (Argument::Items { want: of, .. }, Operand::Items(ops)) => {
                        let mut each = ops.iter().enumerate();
                        each.try_for_each(|(item, op)| {
                            items.push(want(*op, item, *of)?.into_owned());
                            Ok(())
                        })
                        .map(|()| Cow::Owned(Value::Nil))
                    }
                    (argument, _) => Ok(match argument.literal() {
                        Some(value) => Cow::Borrowed(value),
                        None => Cow::Owned(Value::Nil),
                    }),
                };
                let value = value.unwrap_or_else(|cause| {
                    failed.push((at, cause));
                    Cow::Owned(Value::Nil)
                });
                values.push(match argument {
                    Argument::Items { .. } => Cow::Owned(Value::List(items)),
                    _ => value,
                });
            }
        }
        Ok(Args {
            arguments: &call.args,
            prepared: call.prepared.as_ref(),
            values,
            failed,
        })
    }

    pub fn call(&mut self, call: &CallExpr, selection: &mut Vec<u16>) -> Op {
        let operands = self.operands(&call.call, &call.args, selection);
        if let (Some(pattern), Some(Operand::Value(op))) = (&call.pattern, operands.first())
            && pattern.is_quick()
        {
            let op = *op;
            return self.each(selection, |exec, p| match exec.view(op).get(p) {
                (kind::STRING, bits) => Ok((kind::BOOL, pattern.is_match(exec.bytes(bits)).into())),
                _ => exec.scalar(&call.call, &operands, p),
            });
        }
        let varying = call.memo.and_then(|(memo, at)| match operands.get(at) {
            Some(Operand::Value(op)) => Some((memo, *op)),
            _ => None,
        });
        let Some((memo, op)) = varying else {
            return self.each(selection, |exec, p| exec.compute(call, &operands, p));
        };
        self.each(selection, |exec, p| {
            let (of, bits) = exec.view(op).get(p);
            if of != kind::STRING {
                return exec.compute(call, &operands, p);
            }
            let known = match exec.state.memos.get_mut(memo) {
                Some(memo) => memo.find(exec.frame.heap(), exec.data, bits),
                None => Known::Not(None),
            };
            match known {
                Known::Cell(cell) => Ok(cell),
                Known::Not(free) => {
                    let result = exec.compute(call, &operands, p)?;
                    if let Some(memo) = exec.state.memos.get_mut(memo) {
                        memo.keep(free, bits, result);
                    }
                    Ok(result)
                }
            }
        })
    }

    /// The arguments of a call.
    pub fn operands(
        &mut self,
        call: &Call,
        args: &[Arg],
        selection: &mut Vec<u16>,
    ) -> SmallVec<[Operand; 4]> {
        let mut operands: SmallVec<[Operand; 4]> = SmallVec::new();
        // What was computed before, and what is wanted of it.
        let mut before: SmallVec<[(Op, Want); 8]> = SmallVec::new();
        for (arg, argument) in args.iter().zip(&call.args) {
            operands.push(match (arg, argument) {
                (Arg::Value(expr), Argument::Value { want, .. }) => {
                    let op = self.operand(expr, &before, selection);
                    before.push((op, *want));
                    Operand::Value(op)
                }
                (Arg::Items(exprs), Argument::Items { want, .. }) => {
                    let mut ops = SmallVec::new();
                    for expr in exprs {
                        let op = self.operand(expr, &before, selection);
                        before.push((op, *want));
                        ops.push(op);
                    }
                    Operand::Items(ops)
                }
                _ => Operand::Known,
            });
        }
        operands
    }

    /// An operand. Where it fails and one before it is not what is wanted, that is what is said:
    /// it is found out first.
    fn operand(&mut self, expr: &Expr, before: &[(Op, Want)], selection: &mut Vec<u16>) -> Op {
        let known = self.state.failures.len();
        let op = self.eval(expr, selection);
        for at in known..self.state.failures.len() {
            let Some(p) = self.state.failures.get(at).map(|failed| failed.position) else {
                continue;
            };
            let mut causes = before.iter().filter_map(|(op, want)| {
                let value = self.owned(*op, p);
                coerce(value, *want).err()
            });
            if let Some(cause) = causes.next()
                && let Some(failed) = self.state.failures.get_mut(at)
            {
                failed.cause = cause;
            }
        }
        op
    }

    fn compute(&mut self, call: &CallExpr, operands: &[Operand], p: u16) -> Result<Cell, Failure> {
        match (call.kernel, operands) {
            (Kernel::IsMatch, [Operand::Value(op), ..]) => {
                if let (Some(Argument::Regex(regex)), (kind::STRING, bits)) =
                    (call.call.args.get(1), self.view(*op).get(p))
                {
                    return Ok((kind::BOOL, regex.is_match(self.bytes(bits)).into()));
                }
            }
            (Kernel::Hash, [Operand::Value(op)]) => {
                if let (kind::STRING, bits) = self.view(*op).get(p) {
                    return self.hash(call.call.function.name, bits);
                }
            }
            (Kernel::Concat, [Operand::Items(items), Operand::Known]) => {
                if let Some(Value::String(delimiter)) =
                    call.call.args.get(1).and_then(Argument::literal)
                {
                    return self.concat(items, delimiter, p);
                }
            }
            _ => {}
        }
        self.scalar(&call.call, operands, p)
    }

    /// By the function of values.
    fn scalar(&mut self, call: &Call, operands: &[Operand], p: u16) -> Result<Cell, Failure> {
        let Some(scalar) = call.scalar() else {
            let name = call.function.name;
            return Err(Failure::Function(format!("{name} gives no value")));
        };
        let result = scalar(&Args {
            arguments: &call.args,
            prepared: call.prepared.as_ref(),
            values: self.arguments(call, operands, p)?,
            failed: Vec::new(),
        })?;
        cell(self.frame, &mut self.state.boxed, result)
    }

    /// The values of arguments at a position, as they are wanted.
    pub fn arguments<'c>(
        &self,
        call: &'c Call,
        operands: &[Operand],
        p: u16,
    ) -> Result<SmallVec<[Cow<'c, Value>; 4]>, Failure> {
        let mut values = SmallVec::with_capacity(operands.len());
        for (argument, operand) in call.args.iter().zip(operands) {
            values.push(match (argument, operand) {
                (Argument::Value { want, .. }, Operand::Value(op)) => {
                    coerce(self.owned(*op, p), *want)?
                }
                (Argument::Items { want, .. }, Operand::Items(ops)) => {
                    let mut items = Vec::with_capacity(ops.len());
                    for op in ops {
                        items.push(coerce(self.owned(*op, p), *want)?.into_owned());
                    }
                    Cow::Owned(Value::List(items))
                }
                (argument, _) => match argument.literal() {
                    Some(value) => Cow::Borrowed(value),
                    None => Cow::Owned(Value::Nil),
                },
            });
        }
        Ok(values)
    }

    fn hash(&mut self, name: &str, bits: u64) -> Result<Cell, Failure> {
        let bytes = self.bytes(bits);
        match name {
            "SHA256" => {
                let digest = sha256(bytes);
                self.hex(digest)
            }
            "SHA1" => {
                let digest = Sha1::digest(bytes);
                self.hex(digest.into())
            }
            "SHA512" => {
                let digest = Sha512::digest(bytes);
                self.hex(digest.into())
            }
            _ => {
                let digest = Md5::digest(bytes);
                self.hex(digest.into())
            }
        }
    }

    #[inline(always)]
    fn hex<const LEN: usize>(&mut self, digest: [u8; LEN]) -> Result<Cell, Failure> {
        // No table, and high and low digits apart: many bytes are done at once.
        let digit = |of: u8| of + b'0' + (b'a' - b'0' - 10) * u8::from(of > 9);
        let (mut high, mut low, mut text) = ([0; LEN], [0; LEN], [[0; 2]; LEN]);
        for ((high, low), byte) in high.iter_mut().zip(&mut low).zip(&digest) {
            (*high, *low) = (digit(byte >> 4), digit(byte & 15));
        }
        for ((pair, high), low) in text.iter_mut().zip(high).zip(low) {
            *pair = [high, low];
        }
        let heap = self.frame.heap_mut();
        let from = heap.len();
        heap.extend_from_slice(text.as_flattened());
        self.string_from(from)
    }

    /// The string that was appended to the heap since it had this length.
    pub fn string_from(&mut self, from: usize) -> Result<Cell, Failure> {
        let bits = self.frame.span_from(from).ok_or_else(cells::full)?;
        Ok((kind::STRING, bits))
    }

    fn concat(&mut self, items: &[Op], delimiter: &[u8], p: u16) -> Result<Cell, Failure> {
        let from = self.frame.heap().len();
        // What it nearly always is.
        if let [first, second] = items
            && let ((kind::STRING, first), (kind::STRING, second)) =
                (self.view(*first).get(p), self.view(*second).get(p))
        {
            self.copy(first);
            self.frame.push_bytes(delimiter);
            self.copy(second);
            return self.string_from(from);
        }
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.frame.push_bytes(delimiter);
            }
            let cell = self.view(*item).get(p);
            match cell {
                (kind::STRING, bits) => self.copy(bits),
                (kind::NIL, _) => self.frame.heap_mut().extend_from_slice(b"<nil>"),
                other => {
                    let value = coerce(Cow::Owned(self.value(other)), Want::StringLike);
                    match value.as_deref() {
                        Ok(Value::String(text)) => self.frame.heap_mut().extend_from_slice(text),
                        Ok(_) => self.frame.heap_mut().extend_from_slice(b"<nil>"),
                        Err(cause) => {
                            let cause = cause.clone();
                            self.frame.heap_mut().truncate(from);
                            return Err(cause);
                        }
                    }
                }
            }
        }
        self.string_from(from)
    }

    /// Appends the bytes of a span to the heap.
    fn copy(&mut self, bits: u64) {
        self.frame.copy_to_heap(self.data, bits);
    }
}
