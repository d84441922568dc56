//! What waits to be joined, how it is cut, and how the outcome of what was sent
//! finds its way back to every caller whose items were in it.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use tonic::Code;
use trunkline_proto::Batch;

use crate::component::{Outcome, Refusal};

/// A caller's claim: settled once all its items have met their fate.
pub(super) struct Ticket {
    /// Items whose fate is not known yet.
    open: Cell<usize>,
    outcome: RefCell<Outcome>,
    waker: RefCell<Option<Waker>>,
}

impl Ticket {
    /// Of a caller with so many items.
    pub(super) fn new(items: usize) -> Rc<Ticket> {
        Rc::new(Ticket {
            open: Cell::new(items),
            outcome: RefCell::new(Outcome::Accepted),
            waker: RefCell::new(None),
        })
    }

    /// The outcome, once all items have one.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Outcome> {
        if self.open.get() == 0 {
            return Poll::Ready(self.outcome.borrow().clone());
        }
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    fn settle(&self, items: usize, outcome: Outcome) {
        let worse = worse(self.outcome.replace(Outcome::Accepted), outcome);
        self.outcome.replace(worse);
        self.open.set(self.open.get().saturating_sub(items));
        let waker = self.waker.borrow_mut().take_if(|_| self.open.get() == 0);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Items of a caller in a batch.
pub(super) struct Share {
    ticket: Rc<Ticket>,
    items: usize,
}

/// Requests that wait for others.
#[derive(Default)]
pub(super) struct Pending {
    batches: Vec<Waiting>,
    /// Whose items these are, in the order of the items.
    shares: VecDeque<Share>,
    items: usize,
    since: Option<Instant>,
    deadline: Option<Instant>,
    /// A task watches over it.
    watched: bool,
}

/// A request that waits.
struct Waiting {
    batch: Batch,
    /// Every byte of it is known to be as it should be.
    checked: bool,
}

/// A batch that is to leave.
pub(super) struct Ready {
    /// What leaves.
    pub(super) batch: Batch,
    /// Whose items these are.
    pub(super) shares: Vec<Share>,
    /// Nobody has looked inside yet.
    pub(super) unchecked: bool,
    /// When the last caller stops waiting.
    pub(super) deadline: Instant,
}

impl Pending {
    /// Adds a request.
    pub(super) fn push(&mut self, batch: Batch, ticket: &Rc<Ticket>, deadline: Instant) {
        let items = batch.item_count();
        self.batches.push(Waiting {
            batch,
            checked: false,
        });
        self.shares.push_back(Share {
            ticket: ticket.clone(),
            items,
        });
        self.items += items;
        self.since.get_or_insert_with(Instant::now);
        // The joined request is worth sending while anyone waits.
        self.deadline = self.deadline.max(Some(deadline));
    }

    /// Whether something waits that nobody watches over; from now on someone does.
    pub(super) fn watch(&mut self) -> bool {
        !self.is_empty() && !std::mem::replace(&mut self.watched, true)
    }

    /// The watching has ended.
    pub(super) fn unwatch(&mut self) {
        self.watched = false;
    }

    /// Items that wait.
    pub(super) fn items(&self) -> usize {
        self.items
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Since when the first request waits.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Turns away what is not valid inside its items, which the receiver does not look at: it
    /// must not take down the requests it would be joined with. How many items these are.
    pub(super) fn check(&mut self) -> usize {
        if self.batches.len() < 2 {
            return 0;
        }
        let mut refused = 0;
        // The items before the request that is looked at.
        let mut before = 0;
        let shares = &mut self.shares;
        self.batches.retain_mut(|waiting| {
            let items = waiting.batch.item_count();
            if waiting.checked {
                before += items;
                return true;
            }
            let Err(error) = waiting.batch.validate() else {
                waiting.checked = true;
                before += items;
                return true;
            };
            refused += items;
            let refusal = Refusal::permanent(Code::InvalidArgument, error.to_string());
            // A request that was not checked yet is one caller's, whole.
            let mut at = 0;
            let share = shares.iter().position(|share| {
                let found = at == before && share.items == items;
                at += share.items;
                found
            });
            if let Some(share) = share.and_then(|share| shares.remove(share)) {
                share.ticket.settle(items, Outcome::Refused(refusal));
            }
            false
        });
        self.items -= refused;
        refused
    }

    /// Whether some request was not checked; one that is alone need not be.
    fn is_unchecked(&self) -> bool {
        self.batches.len() > 1 && self.batches.iter().any(|waiting| !waiting.checked)
    }

    /// Takes everything, in batches of at most `max` items (0: in one).
    pub(super) fn take_all(&mut self, max: usize) -> Vec<Ready> {
        self.take(max, 0)
    }

    /// Takes what fills batches of `size` items at least and `max` at most (0: any number); a
    /// smaller rest waits on.
    pub(super) fn take_full(&mut self, size: usize, max: usize) -> Vec<Ready> {
        self.take(max, size)
    }

    fn take(&mut self, max: usize, size: usize) -> Vec<Ready> {
        let deadline = self.deadline.unwrap_or_else(Instant::now);
        let unchecked = self.is_unchecked();
        let batches = std::mem::take(&mut self.batches);
        let batches = batches.into_iter().map(|waiting| waiting.batch).collect();
        let mut shares = std::mem::take(&mut self.shares);
        (self.items, self.since, self.deadline) = (0, None, None);
        let joined = match Batch::join(batches) {
            Ok(Some(joined)) => joined,
            Ok(None) => return Vec::new(),
            Err(error) => {
                // Requests of one pipeline have one signal, and profiles never come here.
                let refusal = Refusal::permanent(Code::Internal, error.to_string());
                settle(&Vec::from(shares), &Outcome::Refused(refusal));
                return Vec::new();
            }
        };
        let mut pieces = if max == 0 {
            vec![joined]
        } else {
            joined.split(max)
        };
        let several = pieces.len() > 1;
        if let Some(rest) = pieces.pop_if(|last| several && last.item_count() < size) {
            self.items = rest.item_count();
            // What was cut is what was joined: checked, or of one caller.
            self.batches.push(Waiting {
                batch: rest,
                checked: true,
            });
            self.since = Some(Instant::now());
            self.deadline = Some(deadline);
        }
        let mut ready = Vec::with_capacity(pieces.len());
        for batch in pieces {
            let shares = cut(&mut shares, batch.item_count());
            ready.push(Ready {
                batch,
                shares,
                unchecked,
                deadline,
            });
        }
        if self.batches.is_empty() {
            // Nothing is left that could settle these later.
            if let Some(last) = ready.last_mut() {
                last.shares.extend(shares);
            }
        } else {
            self.shares = shares;
        }
        ready
    }
}

impl Ready {
    /// What to do about requests that were joined unchecked and then refused for good: tells the
    /// callers of those that are not valid inside, and gives back the others, to be sent again
    /// without them. All are told of `refusal` if it is not that. Beside it, how many items were
    /// refused.
    pub(super) fn tell_apart(self, refusal: &Refusal) -> (Option<Ready>, usize) {
        let total = self.batch.item_count();
        let mut shares = VecDeque::from(self.shares);
        let requests = self.batch.unjoin().unwrap_or_default();
        let judged: Vec<_> = requests
            .into_iter()
            .map(|request| (request.validate(), request))
            .collect();
        if judged.iter().all(|(verdict, _)| verdict.is_ok()) {
            settle(&Vec::from(shares), &Outcome::Refused(refusal.clone()));
            return (None, total);
        }
        let (mut valid, mut theirs, mut refused) = (Vec::new(), Vec::new(), 0);
        for (verdict, request) in judged {
            let items = request.item_count();
            let mut whose = cut(&mut shares, items);
            match verdict {
                Ok(()) => {
                    valid.push(request);
                    theirs.append(&mut whose);
                }
                Err(error) => {
                    let refusal = Refusal::permanent(Code::InvalidArgument, error.to_string());
                    settle(&whose, &Outcome::Refused(refusal));
                    refused += items;
                }
            }
        }
        let again = Batch::join(valid).ok().flatten().map(|batch| Ready {
            batch,
            shares: theirs,
            unchecked: false,
            deadline: self.deadline,
        });
        (again, refused)
    }
}

/// The shares of the first `items` items.
fn cut(shares: &mut VecDeque<Share>, mut items: usize) -> Vec<Share> {
    let mut taken = Vec::new();
    while items > 0 {
        let Some(first) = shares.front_mut() else {
            break;
        };
        let n = first.items.min(items);
        items -= n;
        taken.push(Share {
            ticket: first.ticket.clone(),
            items: n,
        });
        first.items -= n;
        if first.items == 0 {
            shares.pop_front();
        }
    }
    taken
}

/// Tells every caller what became of its items.
pub(super) fn settle(shares: &[Share], outcome: &Outcome) {
    let Outcome::Partial { rejected, message } = outcome else {
        for share in shares {
            share.ticket.settle(share.items, outcome.clone());
        }
        return;
    };
    // Which items were rejected is not said: each caller is told of its part by number, so
    // that the parts add up.
    let total: usize = shares.iter().map(|s| s.items).sum();
    let part = |items: usize| {
        let all = u128::from(*rejected).min(total as u128) * items as u128;
        u64::try_from(all / (total as u128).max(1)).unwrap_or(u64::MAX)
    };
    let mut before = 0;
    for share in shares {
        let rejected = part(before + share.items) - part(before);
        before += share.items;
        let message = message.clone();
        share
            .ticket
            .settle(share.items, Outcome::Partial { rejected, message });
    }
}

/// The outcome of a caller whose items went two ways. To ask again wins: what was taken arrives
/// twice then, which the protocol allows, and nothing is lost.
pub(super) fn worse(one: Outcome, other: Outcome) -> Outcome {
    match (one, other) {
        (Outcome::Accepted, outcome) | (outcome, Outcome::Accepted) => outcome,
        (Outcome::Refused(a), Outcome::Refused(b)) => {
            let (mut first, second) = if b.retryable && !a.retryable {
                (b, a)
            } else {
                (a, b)
            };
            if second.retryable == first.retryable {
                first.retry_after = first.retry_after.max(second.retry_after);
            }
            if !first.message.contains(&second.message) {
                first.message = format!("{}; {}", first.message, second.message);
            }
            Outcome::Refused(first)
        }
        (Outcome::Refused(refusal), _) | (_, Outcome::Refused(refusal)) => {
            Outcome::Refused(refusal)
        }
        (
            Outcome::Partial {
                rejected: a,
                message: mut text,
            },
            Outcome::Partial {
                rejected: b,
                message,
            },
        ) => {
            if !text.contains(&message) {
                text.push_str("; ");
                text.push_str(&message);
            }
            Outcome::Partial {
                rejected: a.saturating_add(b),
                message: text,
            }
        }
    }
}
