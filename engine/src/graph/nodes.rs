//! What stands between components: the ledger at a pipeline's ends, and fan-out.

use std::rc::Rc;

use futures_util::future::join_all;
use trunkline_proto::Batch;

use crate::{
    component::{ConsumeFuture, Consumer, Outcome, RequestContext},
    net::in_hand::InHand,
    telemetry::PipelineLedger,
};

/// The entry of a pipeline: counts what comes in and holds it until its fate is known.
pub(super) struct Entry {
    pub(super) ledger: Rc<PipelineLedger>,
    /// See [`Consumer::looks_inside`]: a processor does, or what follows the pipeline.
    pub(super) looks_inside: bool,
    pub(super) next: Rc<dyn Consumer>,
}

impl Consumer for Entry {
    fn looks_inside(&self) -> bool {
        self.looks_inside
    }

    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        Box::pin(async move {
            let _held = self.ledger.enter(batch.item_count() as u64);
            self.next.consume(batch, context).await
        })
    }
}

/// The exit of a pipeline: counts what its exporters took and what they did not.
pub(super) struct Exit {
    pub(super) ledger: Rc<PipelineLedger>,
    /// Where no processor of the pipeline gathers requests: what comes here joins no batch any
    /// more, and must hold back none elsewhere.
    pub(super) in_hand: Option<InHand>,
    pub(super) next: Rc<dyn Consumer>,
}

impl Consumer for Exit {
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        Box::pin(async move {
            let _parked = self.in_hand.as_ref().map(InHand::park);
            // A caller that gives up drops this future: the guard counts then, too.
            let leaving = self.ledger.leave(batch.item_count() as u64);
            let outcome = self.next.consume(batch, context).await;
            match &outcome {
                Outcome::Accepted => leaving.sent(),
                Outcome::Partial { rejected, .. } => leaving.partly_sent(*rejected),
                Outcome::Refused(refusal) if context.unchecked && !refusal.retryable => {
                    leaving.stay();
                }
                Outcome::Refused(_) => leaving.refused(),
            }
            outcome
        })
    }

    fn judges(&self) -> bool {
        self.next.judges()
    }
}

/// Gives every consumer the same batch; they share its payload.
pub(super) struct FanOut(Vec<Rc<dyn Consumer>>);

impl FanOut {
    /// One consumer needs no fan-out.
    pub(super) fn over(mut consumers: Vec<Rc<dyn Consumer>>) -> Option<Rc<dyn Consumer>> {
        match consumers.len() {
            0 => None,
            1 => consumers.pop(),
            _ => Some(Rc::new(FanOut(consumers))),
        }
    }
}

impl Consumer for FanOut {
    fn looks_inside(&self) -> bool {
        self.0.iter().any(|consumer| consumer.looks_inside())
    }

    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        Box::pin(async move {
            // All at once: a slow one must not hold up the others.
            let outcomes = join_all(self.0.iter().map(|c| c.consume(batch.clone(), context))).await;
            combine(outcomes)
        })
    }
}

/// The answer for several destinations: accepted only if all accepted. Where one can be cured by
/// asking again the answer is to ask again: what else was refused for good is refused once more.
fn combine(outcomes: Vec<Outcome>) -> Outcome {
    let mut refused: Option<crate::component::Refusal> = None;
    let mut partial: Option<(u64, String)> = None;
    for outcome in outcomes {
        match outcome {
            Outcome::Accepted => {}
            Outcome::Partial { rejected, message } => match &mut partial {
                None => partial = Some((rejected, message)),
                Some((most, all)) => {
                    *most = (*most).max(rejected);
                    all.push_str("; ");
                    all.push_str(&message);
                }
            },
            Outcome::Refused(next) => match &mut refused {
                None => refused = Some(next),
                Some(all) => {
                    let message = format!("{}; {}", all.message, next.message);
                    if next.retryable && !all.retryable {
                        *all = next;
                    } else if next.retryable == all.retryable {
                        all.retry_after = all.retry_after.max(next.retry_after);
                    }
                    all.message = message;
                }
            },
        }
    }
    match (refused, partial) {
        (Some(refusal), _) => Outcome::Refused(refusal),
        (None, Some((rejected, message))) => Outcome::Partial { rejected, message },
        (None, None) => Outcome::Accepted,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Code;

    use super::*;
    use crate::component::Refusal;

    #[test]
    fn several_destinations_have_one_answer() {
        let retry = |text: &str, secs| Refusal::retry(text, Some(Duration::from_secs(secs)));
        let never = |text: &str| Refusal::permanent(Code::InvalidArgument, text);
        let partial = |n, text: &str| Outcome::Partial {
            rejected: n,
            message: text.to_owned(),
        };
        let cases = [
            (
                vec![Outcome::Accepted, Outcome::Accepted],
                Outcome::Accepted,
            ),
            (vec![partial(2, "a"), Outcome::Accepted], partial(2, "a")),
            (vec![partial(2, "a"), partial(3, "b")], partial(3, "a; b")),
            (
                vec![Outcome::Accepted, Outcome::Refused(never("x"))],
                Outcome::Refused(never("x")),
            ),
            (
                vec![
                    Outcome::Refused(never("x")),
                    Outcome::Refused(retry("y", 1)),
                ],
                Outcome::Refused(Refusal {
                    message: "x; y".into(),
                    ..retry("", 1)
                }),
            ),
            (
                vec![
                    Outcome::Refused(retry("x", 3)),
                    Outcome::Refused(retry("y", 1)),
                    partial(1, "p"),
                ],
                Outcome::Refused(Refusal {
                    message: "x; y".into(),
                    ..retry("", 3)
                }),
            ),
        ];
        for (outcomes, want) in cases {
            assert_eq!(combine(outcomes.clone()), want, "{outcomes:?}");
        }
    }
}
