//! Warnings about statements, conditions and rules that fail, which do not flood the log: one of
//! each and a second, with the number of those held back. What was held back and is followed by no
//! further warning is told when the second is over, or when the component goes.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::{Duration, Instant},
};

use trunkline_ottl::failure::Failure;

use crate::runtime;

/// Least time between two warnings about the same.
const QUIET: Duration = Duration::from_secs(1);

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A statement.
    Statement,
    /// A condition.
    Condition,
    /// A rule.
    Rule,
}

/// The warnings of a list of statements, conditions or rules on one core.
#[derive(Debug)]
pub struct Warnings(Rc<Held>);

/// What was said of each, and whether a task waits for the end of a second.
#[derive(Debug)]
struct Held {
    said: Vec<Said>,
    /// Something was held back.
    any: Cell<bool>,
    waits: Cell<bool>,
}

/// When a failure was last logged, and how many were held back since.
#[derive(Debug)]
struct Said {
    kind: Kind,
    /// What failed when one was last logged.
    source: RefCell<String>,
    last: Cell<Option<Instant>>,
    held_back: Cell<u64>,
}

impl Warnings {
    /// About these.
    pub fn new(kinds: impl IntoIterator<Item = Kind>) -> Warnings {
        let said = kinds.into_iter().map(|kind| Said {
            kind,
            source: RefCell::default(),
            last: Cell::default(),
            held_back: Cell::default(),
        });
        Warnings(Rc::new(Held {
            said: said.collect(),
            any: Cell::new(false),
            waits: Cell::new(false),
        }))
    }

    /// Logs that the one with this number failed, unless the same was logged a moment ago.
    pub fn tell(&self, at: usize, source: &str, cause: &Failure) {
        let Some(said) = self.0.said.get(at) else {
            return;
        };
        match said.again(Instant::now()) {
            Some(held_back) => said.log(source, cause, held_back),
            None => self.0.any.set(true),
        }
    }

    /// Has what was held back told when its second is over. To be called after each request, while
    /// nothing is borrowed.
    pub fn settle(&self) {
        // On other threads there is nothing that waits: what is held back is told in the end.
        if self.0.any.get() && !self.0.waits.get() && runtime::current_mode().is_some() {
            self.0.waits.set(true);
            runtime::spawn(wait(Rc::downgrade(&self.0)));
        }
    }
}

/// Waits for the ends of seconds as long as something is held back.
async fn wait(held: Weak<Held>) {
    while let Some(due) = held.upgrade().and_then(|held| held.tell(Instant::now())) {
        runtime::sleep_until(due).await;
    }
}

impl Held {
    /// Tells what was held back and whose second is over; when the next one is. Nothing is held
    /// back any more without it.
    fn tell(&self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for said in &self.said {
            match said.over(now) {
                Over::Nothing => {}
                Over::At(due) => next = Some(next.map_or(due, |next| next.min(due))),
                Over::Now(held_back) => said.log_held(held_back),
            }
        }
        self.any.set(next.is_some());
        self.waits.set(next.is_some());
        next
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for said in &self.said {
            match said.held_back.take() {
                0 => {}
                held_back => said.log_held(held_back),
            }
        }
    }
}

/// What is held back of one, at a time.
#[derive(Debug, PartialEq, Eq)]
enum Over {
    Nothing,
    /// So many, to be told now.
    Now(u64),
    /// Something, to be told then.
    At(Instant),
}

impl Said {
    /// Whether a failure is to be logged now: how many were held back before it. `None` holds it
    /// back, because one was logged a moment ago.
    fn again(&self, now: Instant) -> Option<u64> {
        if self.due().is_some_and(|due| now < due) {
            self.held_back.set(self.held_back.get() + 1);
            return None;
        }
        self.last.set(Some(now));
        Some(self.held_back.take())
    }

    /// When the next one may be logged, if one was.
    fn due(&self) -> Option<Instant> {
        self.last.get().map(|last| last + QUIET)
    }

    /// Whether what is held back is to be told; then a new second begins.
    fn over(&self, now: Instant) -> Over {
        match (self.held_back.get(), self.due()) {
            (0, _) => Over::Nothing,
            (_, Some(due)) if now < due => Over::At(due),
            (held_back, _) => {
                self.held_back.set(0);
                self.last.set(Some(now));
                Over::Now(held_back)
            }
        }
    }

    fn log(&self, source: &str, error: &Failure, held_back: u64) {
        let mut known = self.source.borrow_mut();
        if *known != source {
            source.clone_into(&mut known);
        }
        match self.kind {
            Kind::Statement => tracing::warn!(
                statement = source,
                %error,
                held_back,
                "failed to execute statement"
            ),
            Kind::Condition => tracing::warn!(
                condition = source,
                %error,
                held_back,
                "failed to eval condition"
            ),
            Kind::Rule => tracing::warn!(rule = source, %error, held_back, "failed to apply rule"),
        }
    }

    /// Tells of those for which no further failure told.
    fn log_held(&self, held_back: u64) {
        let source = &**self.source.borrow();
        match self.kind {
            Kind::Statement => tracing::warn!(
                statement = source,
                held_back,
                "failed to execute statement, and was not logged each time"
            ),
            Kind::Condition => tracing::warn!(
                condition = source,
                held_back,
                "failed to eval condition, and was not logged each time"
            ),
            Kind::Rule => tracing::warn!(
                rule = source,
                held_back,
                "failed to apply rule, and was not logged each time"
            ),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing_subscriber::{Layer, layer::Context, prelude::*};

    use super::*;

    /// What was held back, of every line.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u64>>>);

    impl Visit for Lines {
        fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
        fn record_u64(&mut self, field: &Field, value: u64) {
            if field.name() == "held_back" {
                self.0.lock().unwrap().push(value);
            }
        }
    }

    impl<S: tracing::Subscriber> Layer<S> for Lines {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            event.record(&mut self.clone());
        }
    }

    /// The lines that are logged meanwhile.
    fn logged(run: impl FnOnce()) -> Vec<u64> {
        let lines = Lines::default();
        let all = tracing_subscriber::registry().with(lines.clone());
        tracing::subscriber::with_default(all, run);
        std::mem::take(&mut *lines.0.lock().unwrap())
    }

    #[test]
    fn one_failure_a_second_is_logged_with_the_number_held_back() {
        let (of, start) = (Warnings::new([Kind::Rule]), Instant::now());
        let said = &of.0.said[0];
        let at = |millis| said.again(start + Duration::from_millis(millis));
        let told: Vec<Option<u64>> = [0, 1, 999, 1000, 1001, 2000, 9000].map(at).to_vec();
        let expected = [Some(0), None, None, Some(2), None, Some(1), Some(0)];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_held_back_is_told_when_its_second_is_over() {
        let of = Warnings::new([Kind::Statement, Kind::Condition]);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let fail = |which: usize, millis| of.0.said[which].again(at(millis));
        fail(0, 0);
        assert_eq!(of.0.tell(at(0)), None);
        fail(0, 10);
        fail(0, 20);
        fail(1, 300);
        fail(1, 400);
        let lines = logged(|| {
            assert_eq!(of.0.tell(at(500)), Some(at(1000)));
            assert!(of.0.waits.get());
            assert_eq!(of.0.tell(at(1000)), Some(at(1300)));
            // A new second has begun for the first.
            assert_eq!(fail(0, 1100), None);
            assert_eq!(of.0.tell(at(1300)), Some(at(2000)));
            assert_eq!(of.0.tell(at(2500)), None);
            assert!(!of.0.waits.get());
        });
        assert_eq!(lines, [2, 1, 1]);
        assert_eq!(fail(0, 4000), Some(0));
    }

    #[test]
    fn what_is_still_held_back_is_told_when_the_component_goes() {
        let of = Warnings::new([Kind::Rule, Kind::Rule]);
        let lines = logged(|| {
            for _ in 0..4 {
                of.tell(1, "a", &Failure::DivideByZero);
            }
            of.settle();
            drop(of);
        });
        assert_eq!(lines, [0, 3]);
    }
}
