//! What the edits of one call do to one entity. Edits are sorted out once into steps; and since
//! nothing but which keys an entity has, in which order, decides what steps do to it, that is
//! worked out once for each such sequence of keys and kept as a plan: what is cut out, what is
//! made, and where that goes.

use smallvec::SmallVec;

use super::{
    AttributeEdit, Source, Values, When,
    pieces::BLOCK,
    scan::{Hit, Scanner},
};
use crate::wire::{WireType, put_tag, put_varint, tag_len, varint_len};

/// The edits of one call.
pub(super) struct Program<'a> {
    /// The keys that are read or written, by slot.
    pub scanner: Scanner<'a>,
    pub steps: SmallVec<[Step<'a>; 4]>,
    pub planned: Planned,
    /// The plan that served last.
    last: usize,
}

/// What plans do, and with what.
#[derive(Clone, Debug, Default)]
pub(super) struct Planned {
    /// One for each step that sets something, in order.
    pub makers: Vec<Maker>,
    pub plans: Vec<Plan>,
}

/// What makes attributes with a certain key.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    pub template: Template,
    /// The value that all of them have: its field, tag and length included.
    pub constant: Option<Vec<u8>>,
    /// Where one with that value was written, for which field number.
    pub made: Option<(u32, New)>,
}

pub(super) enum Step<'a> {
    Remove {
        slot: usize,
    },
    Set {
        slot: usize,
        when: When,
        value: StepValue<'a>,
        /// Which of [`Planned::makers`].
        maker: usize,
    },
}

/// How an attribute with a certain key begins: two bytes for the tag and length of its
/// `KeyValue`, where they fit, and the key as a field of that. Padded to a [`BLOCK`].
#[derive(Clone, Debug)]
pub(super) struct Template {
    /// The two bytes and the key, if they fit.
    block: [u8; BLOCK],
    len: usize,
    /// The key alone, where they do not.
    long: Vec<u8>,
}

impl Template {
    pub fn new(key: &[u8]) -> Template {
        let mut field = Vec::with_capacity(key.len() + 6);
        crate::wire::put_bytes(&mut field, 1, key);
        let (len, mut block) = (2 + field.len(), [0; BLOCK]);
        if let Some(room) = block.get_mut(2..len) {
            room.copy_from_slice(&field);
            field = Vec::new();
        }
        Template {
            block,
            len,
            long: field,
        }
    }

    /// What it begins with, two bytes for its tag and length and then the key, and how many bytes
    /// that are; `None` where they do not fit.
    #[inline(always)]
    pub fn block(&self) -> Option<(&[u8; BLOCK], usize)> {
        self.long.is_empty().then_some((&self.block, self.len))
    }

    /// Bytes of the key as a field.
    #[inline(always)]
    pub fn key_len(&self) -> usize {
        self.len - 2
    }

    /// Bytes of a whole attribute with `value` bytes besides the key.
    #[inline(always)]
    pub fn attribute_len(&self, number: u32, value: usize) -> usize {
        let body = self.key_len() + value;
        tag_len(number) + varint_len(body as u64) + body
    }

    /// Appends tag and length of a `KeyValue` of `value` bytes besides the key, and the key.
    #[inline(always)]
    pub fn write(&self, out: &mut Vec<u8>, number: u32, value: usize) {
        let body = self.key_len() + value;
        if body < 0x80 && number < 16 && self.long.is_empty() {
            let head = out.len();
            out.extend_from_slice(&self.block);
            if let Some([tag, length, ..]) = out.get_mut(head..) {
                (*tag, *length) = ((number << 3 | 2) as u8, body as u8);
            }
            out.truncate(head + self.len);
        } else {
            put_tag(out, number, WireType::Len);
            put_varint(out, body as u64);
            let short = self.block.get(2..self.len);
            out.extend_from_slice(short.unwrap_or(&self.long));
        }
    }
}

pub(super) enum StepValue<'a> {
    /// That of the maker.
    Constant,
    /// That of another key.
    Slot(usize),
    Rows(&'a Values),
}

/// An attribute in the arena: its field, its `KeyValue`, and its end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct New {
    pub head: u32,
    pub start: u32,
    pub end: u32,
}

/// What becomes of an entity that has the keys in one sequence.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    sequence: u64,
    /// How many attributes were found.
    pub hits: usize,
    /// One of the keys was found twice.
    pub twice: bool,
    /// Attributes to be made, in order.
    pub makes: SmallVec<[Make; 4]>,
    /// Attributes to be cut out, in order.
    pub cuts: SmallVec<[Cut; 8]>,
    /// What was made and goes to the end.
    pub tail: SmallVec<[u8; 4]>,
    /// The same as it is written, in order.
    pub acts: SmallVec<[Act; 8]>,
}

/// What is done when an entity is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Leave out what was found.
    Cut(u8),
    /// Make an attribute.
    Make(Make),
    /// Write what is left of the entity.
    Rest,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Make {
    /// The maker that says under which key.
    pub maker: u8,
    pub from: From,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum From {
    /// That of this maker.
    Constant(u8),
    Hit(u8),
}

/// An attribute that goes, and what was made comes in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub hit: u8,
    pub new: Option<u8>,
}

/// More occurrences than this in one entity, more slots or more steps are not planned.
pub(super) const MOST: usize = 15;
/// More attributes than this made in one entity are not planned.
pub(super) const MADE: usize = 6;
/// Sequences for which plans are kept.
const PLANS: usize = 16;

#[derive(Clone, Copy)]
enum State {
    Absent,
    Original(u8),
    /// The attribute made by this number, and where its value is from.
    Made(u8, From),
}

impl<'a> Program<'a> {
    pub fn new(edits: &[AttributeEdit<'a>]) -> Program<'a> {
        let mut scanner = Scanner::new();
        let mut makers = Vec::new();
        let steps = edits.iter().map(|edit| match *edit {
            AttributeEdit::Remove { key } => Step::Remove {
                slot: scanner.add(key),
            },
            AttributeEdit::Set { key, value, when } => {
                let slot = scanner.add(key);
                let mut constant = None;
                let value = match value {
                    Source::Value(value) => {
                        let (mut bytes, mut field) = (Vec::new(), Vec::new());
                        value.write(&mut bytes);
                        crate::wire::put_bytes(&mut field, 2, &bytes);
                        constant = Some(field);
                        StepValue::Constant
                    }
                    Source::Attribute(key) => StepValue::Slot(scanner.add(key)),
                    Source::Rows(values) => StepValue::Rows(values),
                };
                makers.push(Maker {
                    template: Template::new(key),
                    constant,
                    made: None,
                });
                Step::Set {
                    slot,
                    when,
                    value,
                    maker: makers.len() - 1,
                }
            }
        });
        let steps = steps.collect();
        Program {
            scanner,
            steps,
            planned: Planned {
                makers,
                plans: Vec::new(),
            },
            last: 0,
        }
    }

    /// Whether which keys an entity has decides all that becomes of it.
    pub fn can_be_planned(&self) -> bool {
        let by_row = |step: &Step<'_>| {
            matches!(
                step,
                Step::Set {
                    value: StepValue::Rows(_),
                    ..
                }
            )
        };
        self.planned.makers.len() <= MADE
            && self.scanner.len() < MOST
            && !self.steps.iter().any(by_row)
    }

    /// The index of the plan for an entity in which this was found; `None` when there is too
    /// much of it, or something unusual. Only if [`Program::can_be_planned`].
    #[inline(always)]
    pub fn plan(&mut self, hits: &[Hit]) -> Option<usize> {
        if hits.len() > MOST {
            return None;
        }
        let mut sequence = 1;
        for hit in hits {
            if hit.value == 0 {
                return None;
            }
            sequence = sequence << 4 | u64::from(hit.slot);
        }
        if self
            .planned
            .plans
            .get(self.last)
            .is_some_and(|plan| plan.sequence == sequence)
        {
            return Some(self.last);
        }
        self.other_plan(sequence, hits)
    }

    #[inline(never)]
    fn other_plan(&mut self, sequence: u64, hits: &[Hit]) -> Option<usize> {
        let known = |plan: &Plan| plan.sequence == sequence;
        self.last = match self.planned.plans.iter().position(known) {
            Some(at) => at,
            // Data with so many different sequences is not worth it.
            None if self.planned.plans.len() == PLANS => return None,
            None => {
                let plan = self.make_plan(sequence, hits);
                self.planned.plans.push(plan);
                self.planned.plans.len() - 1
            }
        };
        Some(self.last)
    }

    fn make_plan(&self, sequence: u64, hits: &[Hit]) -> Plan {
        let mut states = [State::Absent; MOST + 1];
        for (at, hit) in hits.iter().enumerate().rev() {
            if let Some(state) = states.get_mut(hit.slot as usize) {
                *state = State::Original(at as u8);
            }
        }
        let before = |at: usize| hits.get(..at).unwrap_or_default();
        let again = |(at, hit): (usize, &Hit)| before(at).iter().any(|of| of.slot == hit.slot);
        let mut plan = Plan {
            sequence,
            hits: hits.len(),
            twice: hits.iter().enumerate().any(again),
            makes: SmallVec::new(),
            cuts: SmallVec::new(),
            tail: SmallVec::new(),
            acts: SmallVec::new(),
        };
        let mut order: SmallVec<[usize; 8]> = SmallVec::new();
        for step in &self.steps {
            let (slot, new) = match step {
                Step::Remove { slot } => (*slot, State::Absent),
                Step::Set {
                    slot,
                    when,
                    value,
                    maker,
                } => {
                    let present = !matches!(states.get(*slot), Some(State::Absent) | None);
                    match when {
                        When::Absent if present => continue,
                        When::Present if !present => continue,
                        _ => {}
                    }
                    let from = match value {
                        StepValue::Constant => From::Constant(*maker as u8),
                        StepValue::Slot(from) => match states.get(*from) {
                            Some(State::Original(hit)) => From::Hit(*hit),
                            Some(State::Made(_, from)) => *from,
                            _ => continue,
                        },
                        StepValue::Rows(_) => continue,
                    };
                    order.push(*slot);
                    plan.makes.push(Make {
                        maker: *maker as u8,
                        from,
                    });
                    (*slot, State::Made(plan.makes.len() as u8 - 1, from))
                }
            };
            if let Some(state) = states.get_mut(slot) {
                *state = new;
            }
        }
        for (at, hit) in hits.iter().enumerate() {
            let Some(state) = states.get_mut(hit.slot as usize) else {
                continue;
            };
            let new = match *state {
                State::Original(_) => continue,
                // What stands there now has its place, and further occurrences have none.
                State::Made(new, _) => {
                    *state = State::Absent;
                    Some(new)
                }
                State::Absent => None,
            };
            let hit = at as u8;
            plan.cuts.push(Cut { hit, new });
        }
        for slot in order {
            if let Some(state) = states.get_mut(slot)
                && let State::Made(new, _) = *state
            {
                *state = State::Absent;
                plan.tail.push(new);
            }
        }
        let make = |new: u8| plan.makes.get(usize::from(new)).copied().map(Act::Make);
        for cut in &plan.cuts {
            plan.acts.push(Act::Cut(cut.hit));
            plan.acts.extend(cut.new.and_then(make));
        }
        plan.acts.push(Act::Rest);
        plan.acts.extend(plan.tail.iter().copied().filter_map(make));
        plan
    }
}

impl Plan {
    /// Whether the entity stays as it is.
    #[inline]
    pub fn changes_nothing(&self) -> bool {
        self.cuts.is_empty() && self.tail.is_empty()
    }
}
