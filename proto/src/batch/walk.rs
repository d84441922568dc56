//! The structure of a request: where its resources, scopes and items lie. Walked once at
//! the door, where it is checked and counted; walked again to cut a request into smaller ones.
//! What is inside an item is the business of `validate`.

use crate::{
    Signal,
    wire::{
        DecodeError, DecodeErrorKind, Field, Fields, MAX_DEPTH, WireType, ask_around,
        begin_message, end_message, read_field,
    },
};

/// Number of items in the request, having checked that every message down to the items
/// lies within the one that holds it.
pub(crate) fn count(signal: Signal, buf: &[u8]) -> Result<usize, DecodeError> {
    let mut items = 0;
    each(buf, 0, buf.len(), 1, "the request", |resource| {
        each(
            buf,
            resource.start,
            resource.end,
            2,
            "the resource's list",
            |scope| {
                each(buf, scope.start, scope.end, 2, "the scope's list", |item| {
                    let size = item.end - item.head;
                    ask_around(buf, item.end + size);
                    ask_around(buf, item.end + 2 * size);
                    items += match signal {
                        Signal::Traces | Signal::Logs => 1,
                        Signal::Metrics => points(buf, item)?,
                        Signal::Profiles => {
                            let mut samples = 0;
                            each(buf, item.start, item.end, 2, "Profile", |_| {
                                samples += 1;
                                Ok(())
                            })?;
                            samples
                        }
                    };
                    Ok(())
                })
            },
        )
    })?;
    Ok(items)
}

/// Calls `found` for every field `number` of the message in `buf[start..end]`.
#[inline(always)]
fn each(
    buf: &[u8],
    start: usize,
    end: usize,
    number: u32,
    message: &'static str,
    mut found: impl FnMut(Field) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let buf = buf.get(..end).unwrap_or(buf);
    let mut pos = start;
    while pos < end {
        let field = read_field(buf, pos, MAX_DEPTH)?;
        pos = field.end;
        if field.number == number {
            if field.wire != WireType::Len {
                let kind = DecodeErrorKind::WireType {
                    field: number,
                    message,
                };
                return Err(DecodeError::new(field.head, kind));
            }
            found(field)?;
        }
    }
    Ok(())
}

/// Whether a field of `Metric` is a member of its oneof `data`.
#[inline]
pub(crate) const fn is_metric_data(number: u32) -> bool {
    matches!(number, 5 | 7 | 9 | 10 | 11)
}

/// Number of data points of a metric. Of several members of the oneof the last counts;
/// the same one given again is merged (protobuf, "Last One Wins").
fn points(buf: &[u8], metric: Field) -> Result<usize, DecodeError> {
    let (mut points, mut member) = (0, 0);
    for field in Fields::new(buf, metric.start, metric.end) {
        let field = field?;
        if !is_metric_data(field.number) {
            continue;
        }
        if field.wire != WireType::Len {
            let kind = DecodeErrorKind::WireType {
                field: field.number,
                message: "Metric",
            };
            return Err(DecodeError::new(field.head, kind));
        }
        if field.number != member {
            (points, member) = (0, field.number);
        }
        each(buf, field.start, field.end, 1, "the metric's data", |_| {
            points += 1;
            Ok(())
        })?;
    }
    Ok(points)
}

/// Number of items that an item's message counts for: data points, samples, or one.
pub(crate) fn weight(signal: Signal, item: &[u8]) -> usize {
    weigh(
        signal,
        item,
        Field {
            number: 0,
            wire: WireType::Len,
            head: 0,
            start: 0,
            end: item.len(),
        },
    )
}

fn weigh(signal: Signal, buf: &[u8], item: Field) -> usize {
    match signal {
        Signal::Traces | Signal::Logs => 1,
        Signal::Metrics => points(buf, item).unwrap_or(0),
        Signal::Profiles => {
            let fields = Fields::new(buf, item.start, item.end).flatten();
            fields.filter(|field| field.number == 2).count()
        }
    }
}

/// Cuts a request that [`count`] accepted into requests of at most `max` items each, in
/// order; the fields around the items are repeated in each. Returns each with its number
/// of items. A metric is cut between its points, a profile never.
pub(crate) fn split(signal: Signal, buf: &[u8], max: usize) -> Vec<(Vec<u8>, usize)> {
    let mut cutter = Cutter {
        signal,
        buf,
        max: max.max(1),
        around: Vec::with_capacity(5),
        open: Vec::with_capacity(5),
        out: Vec::new(),
        items: 0,
        done: Vec::new(),
    };
    let whole = Field {
        number: 0,
        wire: WireType::Len,
        head: 0,
        start: 0,
        end: buf.len(),
    };
    cutter.container(whole);
    cutter.finish();
    cutter.done
}

/// A message around the items.
struct Around {
    number: u32,
    /// Its other fields, neighbours together.
    header: Vec<(usize, usize)>,
}

struct Cutter<'a> {
    signal: Signal,
    buf: &'a [u8],
    max: usize,
    /// The messages around the place that is being read, outermost (the request) first.
    around: Vec<Around>,
    /// Where those of them that were begun in `out` begin. The request has no header.
    open: Vec<usize>,
    out: Vec<u8>,
    items: usize,
    done: Vec<(Vec<u8>, usize)>,
}

impl Cutter<'_> {
    /// Whether this field of the message at this depth holds the items further in.
    fn leads_on(&self, depth: usize, number: u32) -> bool {
        match depth {
            0 => number == 1,
            1 | 2 => number == 2,
            3 => is_metric_data(number),
            _ => number == 1,
        }
    }

    fn container(&mut self, message: Field) {
        let depth = self.around.len();
        let mut children = Vec::new();
        let mut header: Vec<(usize, usize)> = Vec::new();
        for field in Fields::new(self.buf, message.start, message.end).flatten() {
            if self.leads_on(depth, field.number) {
                children.push(field);
                continue;
            }
            match header.last_mut() {
                Some((_, end)) if *end == field.head => *end = field.end,
                _ => header.push((field.head, field.end)),
            }
        }
        if children.is_empty() && depth > 0 {
            return self.leaf(message, 0);
        }
        self.around.push(Around {
            number: message.number,
            header,
        });
        for child in children {
            if depth < 2 {
                self.container(child);
            } else if depth == 2 {
                self.item(child);
            } else if depth == 3 {
                self.container(child);
            } else {
                self.leaf(child, 1);
            }
        }
        self.close_to(depth);
        self.around.pop();
    }

    fn item(&mut self, item: Field) {
        let weight = weigh(self.signal, self.buf, item);
        let divisible = self.signal == Signal::Metrics
            && weight > self.max - self.items.min(self.max)
            // Pieces of one member, or several members, cannot be told apart once cut.
            && Fields::new(self.buf, item.start, item.end)
                .flatten()
                .filter(|field| is_metric_data(field.number))
                .count()
                == 1;
        if divisible {
            self.container(item)
        } else {
            self.leaf(item, weight)
        }
    }

    fn leaf(&mut self, leaf: Field, weight: usize) {
        if self.items + weight > self.max && self.items > 0 {
            self.finish();
        }
        for depth in self.open.len()..self.around.len() {
            let Some(message) = self.around.get(depth) else {
                break;
            };
            // The request itself has no tag and no length.
            let begin = if depth == 0 {
                0
            } else {
                begin_message(&mut self.out, message.number)
            };
            self.open.push(begin);
            for (start, end) in &message.header {
                self.out
                    .extend_from_slice(self.buf.get(*start..*end).unwrap_or_default());
            }
        }
        self.copy(leaf);
        self.items += weight;
    }

    fn copy(&mut self, field: Field) {
        self.out
            .extend_from_slice(self.buf.get(field.head..field.end).unwrap_or_default());
    }

    fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth.max(1)
            && let Some(begin) = self.open.pop()
        {
            end_message(&mut self.out, begin);
        }
    }

    fn finish(&mut self) {
        self.close_to(0);
        if !self.open.is_empty() {
            self.done.push((std::mem::take(&mut self.out), self.items));
        }
        self.open.clear();
        self.items = 0;
    }
}
