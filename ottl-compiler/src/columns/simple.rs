//! Patterns that are literals and runs of characters behind one another, such as
//! `session=[0-9a-f]+` or `^/users/[0-9]+/`, where a run never has to give anything back: what
//! follows it begins with none of its characters. The end of a match is then found by comparing.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Parts of a pattern, at most.
const MAX_PARTS: usize = 16;

/// A pattern of literals and runs.
#[derive(Clone, Debug)]
pub(super) struct Simple(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    /// Where the text begins.
    Start,
    /// Where it ends.
    End,
    Literal(Literal),
    /// A literal of so many bytes that was found there already.
    Known(usize),
    /// As many bytes as there are, at least and at most so many, that are true here.
    Run {
        bytes: Box<[bool; 256]>,
        least: usize,
        most: usize,
    },
}

/// A literal, and what of it can be compared at once.
#[derive(Clone, Debug)]
struct Literal {
    /// Its first eight bytes, or all, and which bits those are.
    first: u64,
    mask: u64,
    bytes: Box<[u8]>,
}

impl Literal {
    fn new(bytes: &[u8]) -> Literal {
        let mut first = [0; 8];
        first.iter_mut().zip(bytes).for_each(|(to, of)| *to = *of);
        Literal {
            first: u64::from_le_bytes(first),
            mask: match bytes.len() {
                len @ 0..8 => (1 << (8 * len)) - 1,
                _ => u64::MAX,
            },
            bytes: bytes.into(),
        }
    }

    #[inline]
    fn is_at(&self, text: &[u8], at: usize) -> bool {
        let Some(rest) = text.get(at..) else {
            return false;
        };
        match rest.first_chunk::<8>() {
            Some(word) if (u64::from_le_bytes(*word) ^ self.first) & self.mask != 0 => false,
            Some(_) if self.bytes.len() <= 8 => true,
            _ => rest.starts_with(&self.bytes),
        }
    }
}

impl Simple {
    /// `None` where it is not as simple as that.
    pub fn new(hir: &Hir) -> Option<Simple> {
        let mut parts = Vec::new();
        add(hir, &mut parts)?;
        let mut next = parts.get(1..).unwrap_or_default().iter();
        for part in &parts {
            let (Part::Run { bytes, least, most }, Some(next)) = (part, next.next()) else {
                continue;
            };
            let apart = match next {
                Part::Start => false,
                Part::End => true,
                Part::Known(_) => false,
                Part::Literal(text) => {
                    let first = text.bytes.first();
                    first.and_then(|first| bytes.get(usize::from(*first))) == Some(&false)
                }
                Part::Run {
                    bytes: others,
                    least,
                    ..
                } => *least > 0 && bytes.iter().zip(&**others).all(|(a, b)| !(*a && *b)),
            };
            if !apart && least != most {
                return None;
            }
        }
        Some(Simple(parts))
    }

    /// The same for places at which this literal was found.
    pub fn behind(mut self, literal: &[u8]) -> Simple {
        if let Some(first) = self.0.first_mut()
            && matches!(first, Part::Literal(known) if *known.bytes == *literal)
        {
            *first = Part::Known(literal.len());
        }
        self
    }

    /// Where a match that begins at `at` ends.
    #[inline]
    pub fn end(&self, text: &[u8], mut at: usize) -> Option<usize> {
        for part in &self.0 {
            match part {
                Part::Start if at == 0 => {}
                Part::End if at == text.len() => {}
                Part::Start | Part::End => return None,
                Part::Literal(literal) => {
                    if !literal.is_at(text, at) {
                        return None;
                    }
                    at += literal.bytes.len();
                }
                Part::Known(len) => at += len,
                Part::Run { bytes, least, most } => {
                    let rest = text.get(at..).unwrap_or_default();
                    let rest = rest.get(..*most).unwrap_or(rest);
                    let mut len = 0;
                    for byte in rest {
                        if !bytes[usize::from(*byte)] {
                            break;
                        }
                        len += 1;
                    }
                    if len < *least {
                        return None;
                    }
                    at += len;
                }
            }
        }
        Some(at)
    }
}

fn add(hir: &Hir, parts: &mut Vec<Part>) -> Option<()> {
    if parts.len() >= MAX_PARTS {
        return None;
    }
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => parts.push(Part::Literal(Literal::new(&literal.0))),
        HirKind::Class(class) => parts.push(Part::Run {
            bytes: bytes(class)?,
            least: 1,
            most: 1,
        }),
        HirKind::Look(Look::Start) => parts.push(Part::Start),
        HirKind::Look(Look::End) => parts.push(Part::End),
        HirKind::Repetition(run) if run.greedy => {
            let bytes = match run.sub.kind() {
                HirKind::Class(class) => bytes(class)?,
                HirKind::Literal(literal) => match *literal.0 {
                    [byte] if byte.is_ascii() => {
                        let mut bytes = Box::new([false; 256]);
                        *bytes.get_mut(usize::from(byte))? = true;
                        bytes
                    }
                    _ => return None,
                },
                _ => return None,
            };
            parts.push(Part::Run {
                bytes,
                least: usize::try_from(run.min).ok()?,
                most: match run.max {
                    Some(most) => usize::try_from(most).ok()?,
                    None => usize::MAX,
                },
            });
        }
        HirKind::Capture(capture) => add(&capture.sub, parts)?,
        HirKind::Concat(all) => {
            for hir in all {
                add(hir, parts)?;
            }
        }
        _ => return None,
    }
    Some(())
}

/// The bytes of a class of ASCII characters.
fn bytes(class: &Class) -> Option<Box<[bool; 256]>> {
    let mut bytes = Box::new([false; 256]);
    let mut add = |from: u8, to: u8| {
        (from..=to).for_each(|byte| bytes[usize::from(byte)] = true);
    };
    match class {
        Class::Bytes(class) => class
            .iter()
            .for_each(|range| add(range.start(), range.end())),
        Class::Unicode(class) => {
            for range in class.iter() {
                if !range.end().is_ascii() {
                    return None;
                }
                add(range.start() as u8, range.end() as u8);
            }
        }
    }
    Some(bytes)
}
