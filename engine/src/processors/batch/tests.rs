//! When a batch leaves, how it is cut, and what each caller is told.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{cell::Cell, future::Future, task::Waker};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use trunkline_proto::Signal;

use super::{pending::worse, *};
use crate::{
    component::GoDuration,
    exporters::testing::{self, context, logs, run, scrape},
    telemetry::Ledger,
};

type Metadata = Vec<(String, String)>;

/// A consumer that keeps what it gets and answers as it was told to.
#[derive(Default)]
struct Sink {
    /// Items and metadata of each batch.
    got: RefCell<Vec<(usize, Option<Metadata>)>>,
    answers: RefCell<Vec<Outcome>>,
    held: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
    /// It says of itself that it judges what it gets.
    judges: Cell<bool>,
}

impl Sink {
    fn items(&self) -> Vec<usize> {
        self.got.borrow().iter().map(|(items, _)| *items).collect()
    }

    fn release(&self) {
        self.held.set(false);
        self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
    }
}

impl Consumer for Sink {
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        let metadata = context.metadata.as_ref().map(|m| m.to_vec());
        self.got.borrow_mut().push((batch.item_count(), metadata));
        let mut answers = self.answers.borrow_mut();
        let answer = if answers.is_empty() {
            Outcome::Accepted
        } else {
            answers.remove(0)
        };
        Box::pin(async move {
            poll_fn(|cx| {
                if self.held.get() {
                    self.waiting.borrow_mut().push(cx.waker().clone());
                    return Poll::Pending;
                }
                Poll::Ready(())
            })
            .await;
            answer
        })
    }

    fn judges(&self) -> bool {
        self.judges.get()
    }
}

struct Bench {
    core: CoreContext,
    sink: Rc<Sink>,
    batch: Rc<dyn Consumer>,
}

const LONG: GoDuration = GoDuration::secs(3600);

impl Bench {
    fn new(config: Config) -> Bench {
        let core = testing::core();
        let sink = Rc::new(Sink::default());
        let ledger = Ledger::new(core.registry.clone()).pipeline(0, "logs");
        let batch = build(
            &config,
            "batch",
            Signal::Logs,
            &core,
            &Rc::new(ledger),
            sink.clone(),
        )
        .unwrap();
        Bench { core, sink, batch }
    }

    /// A request as a receiver has it: in hand, then consumed.
    fn request(&self, items: usize) -> impl Future<Output = Outcome> + '_ {
        self.request_from(items, context())
    }

    fn request_from(
        &self,
        items: usize,
        context: RequestContext,
    ) -> impl Future<Output = Outcome> + '_ {
        let in_hand = self.core.in_hand.enter();
        async move {
            let outcome = self.batch.consume(logs(&[("", items)]), &context).await;
            drop(in_hand);
            outcome
        }
    }
}

fn partial(rejected: u64, message: &str) -> Outcome {
    Outcome::Partial {
        rejected,
        message: message.to_owned(),
    }
}

fn retry(message: &str, seconds: u64) -> Outcome {
    Outcome::Refused(Refusal::retry(message, Some(Duration::from_secs(seconds))))
}

fn never(message: &str) -> Outcome {
    Outcome::Refused(Refusal::permanent(Code::InvalidArgument, message))
}

#[test]
fn a_request_alone_leaves_at_once() {
    run(async {
        let bench = Bench::new(Config {
            timeout: LONG,
            ..Config::default()
        });
        for _ in 0..3 {
            assert_eq!(bench.request(5).await, Outcome::Accepted);
        }
        assert_eq!(bench.sink.items(), [5, 5, 5]);
    });
}

#[test]
fn requests_in_hand_leave_together() {
    run(async {
        let bench = Bench::new(Config {
            timeout: LONG,
            ..Config::default()
        });
        let requests: Vec<_> = [3, 4, 5].map(|n| bench.request(n)).into();
        assert_eq!(join_all(requests).await, vec![Outcome::Accepted; 3]);
        assert_eq!(bench.sink.items(), [12]);
    });
}

// Requests whose bodies one read brought, and those that are still to be read: none is in hand
// when the first comes here.
#[test]
fn requests_that_have_come_to_the_sockets_leave_together() {
    run(async {
        let bench = Bench::new(Config {
            timeout: LONG,
            ..Config::default()
        });
        let (mut client, server) = tokio::io::duplex(64);
        let (mut far, near) = tokio::net::UnixStream::pair().unwrap();
        let bodies: [(usize, Pin<Box<dyn tokio::io::AsyncRead>>); 2] =
            [(1, Box::pin(server)), (4, Box::pin(near))];
        let calls = bodies.map(|(items, mut body)| {
            let bench = &bench;
            async move {
                body.read_u8().await.unwrap();
                // A connection's task reads, the request's own task goes on.
                runtime::yield_now().await;
                bench.request(items).await
            }
        });
        let write = async {
            tokio::task::yield_now().await;
            far.write_u8(0).await.unwrap();
            client.write_u8(0).await.unwrap();
        };
        let (outcomes, ()) = tokio::join!(join_all(calls), write);
        assert_eq!(outcomes, vec![Outcome::Accepted; 2]);
        assert_eq!(bench.sink.items(), [5]);
    });
}

// The receiver looks no further than to the items.
impl Bench {
    /// A record whose body would end beyond it, as a request in hand.
    fn broken(&self) -> impl Future<Output = Outcome> + '_ {
        let bytes = [0x0a, 6, 0x12, 4, 0x12, 2, 0x2a, 5];
        let broken = Batch::from_protobuf(Signal::Logs, bytes.to_vec().into()).unwrap();
        assert_eq!(broken.item_count(), 1);
        let in_hand = self.core.in_hand.enter();
        async move {
            let outcome = self.batch.consume(broken, &context()).await;
            drop(in_hand);
            outcome
        }
    }

    /// Items that the processor itself counted as refused.
    fn refused(&self) -> u64 {
        let text = scrape(&self.core);
        let line = text
            .lines()
            .find(|line| line.starts_with("trunkline_pipeline_refused_items"));
        let value = line.and_then(|line| line.rsplit(' ').next());
        value.map_or(0, |value| value.parse().unwrap())
    }
}

#[test]
fn a_request_that_is_broken_inside_takes_no_other_with_it() {
    // Whether what follows judges, what it says first, and which batches it gets.
    let cases: [(bool, Vec<Outcome>, &[usize]); 2] = [
        (false, vec![], &[5]),
        (true, vec![never("proto: illegal wireType 7")], &[6, 5]),
    ];
    for (judges, answers, sent) in cases {
        run(async {
            let bench = Bench::new(Config {
                timeout: LONG,
                ..Config::default()
            });
            bench.sink.judges.set(judges);
            bench.sink.answers.replace(answers);
            let broken = bench.broken();
            let (before, outcome, after) = tokio::join!(bench.request(1), broken, bench.request(4));
            assert_eq!((before, after), (Outcome::Accepted, Outcome::Accepted));
            let Outcome::Refused(refusal) = outcome else {
                panic!("{outcome:?}");
            };
            assert!(!refusal.retryable);
            assert_eq!(refusal.code, Code::InvalidArgument);
            assert!(refusal.message.contains("byte 6"), "{}", refusal.message);
            assert_eq!(bench.sink.items(), sent);
            assert_eq!(bench.refused(), 1);
            // What remains on its own is for the next to judge.
            assert_eq!(bench.request(2).await, Outcome::Accepted);
        });
    }
}

#[test]
fn a_refusal_that_is_nobodys_fault_is_everybodys() {
    // What the destination says, how often it is asked, and who counts.
    let cases = [
        (never("no such tenant"), 5),
        // The exit of the pipeline counts these itself.
        (retry("later", 1), 0),
    ];
    for (answer, counted) in cases {
        run(async {
            let bench = Bench::new(Config {
                timeout: LONG,
                ..Config::default()
            });
            bench.sink.judges.set(true);
            bench.sink.answers.replace(vec![answer.clone()]);
            let (first, second) = tokio::join!(bench.request(1), bench.request(4));
            assert_eq!((&first, &second), (&answer, &answer));
            assert_eq!(bench.sink.items(), [5]);
            assert_eq!(bench.refused(), counted);
        });
    }
}

#[test]
fn what_is_cut_is_checked_before() {
    run(async {
        let bench = Bench::new(Config {
            timeout: LONG,
            send_batch_size: 4,
            send_batch_max_size: 4,
            ..Config::default()
        });
        bench.sink.judges.set(true);
        let (broken, other) = tokio::join!(bench.broken(), bench.request(6));
        assert!(matches!(broken, Outcome::Refused(_)), "{broken:?}");
        assert_eq!(other, Outcome::Accepted);
        assert_eq!(bench.sink.items(), [4, 2]);
    });
}

#[test]
fn requests_that_wait_for_their_answer_hold_back_no_other() {
    run(async {
        let bench = Bench::new(Config {
            timeout: LONG,
            ..Config::default()
        });
        bench.sink.held.set(true);
        let first = bench.request(1);
        let then = async {
            while bench.sink.items().is_empty() {
                runtime::yield_now().await;
            }
            let second = bench.request(2);
            let release = async {
                while bench.sink.items().len() < 2 {
                    runtime::yield_now().await;
                }
                bench.sink.release();
            };
            tokio::join!(second, release).0
        };
        let (first, second) = tokio::join!(first, then);
        assert_eq!((first, second), (Outcome::Accepted, Outcome::Accepted));
        assert_eq!(bench.sink.items(), [1, 2]);
    });
}

// collector.md §2.7: `timeout` is when a batch leaves at the latest.
#[test]
fn the_timeout_ends_the_wait_for_requests_in_hand() {
    run(async {
        let bench = Bench::new(Config {
            timeout: GoDuration::millis(5),
            ..Config::default()
        });
        let _slow = bench.core.in_hand.enter();
        assert_eq!(bench.request(5).await, Outcome::Accepted);
        assert!(
            scrape(&bench.core).contains("batch_timeout_trigger_send_total{"),
            "{}",
            scrape(&bench.core)
        );
    });
}

// collector.md §2.7: send_batch_size is when a batch leaves without waiting, 0 and a timeout of 0
// are no waiting at all; send_batch_max_size cuts.
#[test]
fn a_full_batch_leaves_and_is_cut() {
    let config = |size, max, timeout| Config {
        send_batch_size: size,
        send_batch_max_size: max,
        timeout,
        ..Config::default()
    };
    for (config, requests, want) in [
        // The 5 that do not fill a batch leave when nothing else is in hand.
        (config(10, 10, LONG), &[35][..], &[10, 10, 10, 5][..]),
        (config(10, 0, LONG), &[35], &[35]),
        (config(10, 20, LONG), &[6, 6, 6], &[12, 6]),
        (config(10, 10, LONG), &[6, 6, 6], &[10, 8]),
        (config(0, 0, LONG), &[6, 6], &[6, 6]),
        (config(0, 4, LONG), &[6], &[4, 2]),
        (config(100, 0, GoDuration::ZERO), &[6, 6], &[6, 6]),
        (config(100, 4, GoDuration::ZERO), &[6], &[4, 2]),
        (config(100, 4, LONG), &[6, 3], &[4, 4, 1]),
    ] {
        run(async {
            let bench = Bench::new(config.clone());
            let all: Vec<_> = requests.iter().map(|n| bench.request(*n)).collect();
            let outcomes = join_all(all).await;
            assert!(outcomes.iter().all(|o| *o == Outcome::Accepted));
            let mut got = bench.sink.items();
            got.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(got, want, "{config:?} {requests:?}");
        });
    }
}

#[test]
fn each_caller_is_told_the_fate_of_its_own_items() {
    // Requests, outcomes of the batches of 10, outcomes of the callers.
    for (requests, answers, want) in [
        (
            &[4, 6][..],
            vec![retry("busy", 3)],
            vec![retry("busy", 3), retry("busy", 3)],
        ),
        // The second caller's items went two ways.
        (
            &[8, 4, 8],
            vec![Outcome::Accepted, never("no")],
            vec![Outcome::Accepted, never("no"), never("no")],
        ),
        (
            &[8, 4, 8],
            vec![never("no"), retry("busy", 1)],
            vec![
                never("no"),
                Outcome::Refused(Refusal::retry("busy; no", Some(Duration::from_secs(1)))),
                retry("busy", 1),
            ],
        ),
        // What was rejected is shared out, and adds up.
        (
            &[3, 7],
            vec![partial(5, "bad")],
            vec![partial(1, "bad"), partial(4, "bad")],
        ),
        (&[10], vec![partial(5, "bad")], vec![partial(5, "bad")]),
        (
            &[10, 10],
            vec![partial(0, "slow"), Outcome::Accepted],
            vec![partial(0, "slow"), Outcome::Accepted],
        ),
    ] {
        run(async {
            let bench = Bench::new(Config {
                send_batch_size: 10,
                send_batch_max_size: 10,
                timeout: LONG,
                ..Config::default()
            });
            *bench.sink.answers.borrow_mut() = answers.clone();
            let all: Vec<_> = requests.iter().map(|n| bench.request(*n)).collect();
            assert_eq!(join_all(all).await, want, "{requests:?} {answers:?}");
        });
    }
}

#[test]
fn to_ask_again_is_the_worse_outcome_whatever_the_order() {
    let all = [
        Outcome::Accepted,
        partial(2, "bad"),
        never("no"),
        retry("busy", 1),
    ];
    for (i, one) in all.iter().enumerate() {
        for (j, other) in all.iter().enumerate() {
            let (a, b) = (
                worse(one.clone(), other.clone()),
                worse(other.clone(), one.clone()),
            );
            let kind = |o: &Outcome| match o {
                Outcome::Accepted => 0,
                Outcome::Partial { .. } => 1,
                Outcome::Refused(r) if !r.retryable => 2,
                Outcome::Refused(_) => 3,
            };
            assert_eq!((kind(&a), kind(&b)), (i.max(j), i.max(j)));
        }
    }
}

#[test]
fn a_caller_that_goes_away_takes_no_other_with_it() {
    run(async {
        let bench = Bench::new(Config {
            timeout: LONG,
            ..Config::default()
        });
        let mut gone = Box::pin(bench.request(3));
        let stays = bench.request(4);
        assert!(
            gone.as_mut()
                .poll(&mut std::task::Context::from_waker(Waker::noop()))
                .is_pending()
        );
        drop(gone);
        assert_eq!(stays.await, Outcome::Accepted);
        assert_eq!(bench.sink.items(), [7]);
        bench.core.drain.finished().await;
    });
}

// collector.md §2.7: metadata_keys, metadata_cardinality_limit.
#[test]
fn only_requests_with_the_same_metadata_are_joined() {
    run(async {
        let bench = Bench::new(Config {
            timeout: LONG,
            metadata_keys: vec!["X-Tenant".into()],
            metadata_cardinality_limit: 2,
            ..Config::default()
        });
        let from = |tenant: &str| RequestContext {
            metadata: Some(Arc::new(vec![
                ("x-tenant".into(), tenant.into()),
                ("x-other".into(), "o".into()),
            ])),
            ..context()
        };
        let outcomes = join_all([
            bench.request_from(1, from("a")),
            bench.request_from(2, from("b")),
            bench.request_from(4, from("a")),
            bench.request_from(8, from("c")),
        ])
        .await;
        assert_eq!(outcomes[..3], [const { Outcome::Accepted }; 3]);
        let Outcome::Refused(refusal) = &outcomes[3] else {
            panic!("{outcomes:?}");
        };
        assert_eq!(
            (refusal.retryable, refusal.message.as_str()),
            (false, "too many batcher metadata-value combinations")
        );
        let mut got = bench.sink.got.borrow().clone();
        got.sort_by_key(|(items, _)| *items);
        let tenant = |t: &str| Some(vec![("x-tenant".to_owned(), t.to_owned())]);
        assert_eq!(got, [(2, tenant("b")), (5, tenant("a"))]);
        let page = scrape(&bench.core);
        assert!(
            page.contains("otelcol_processor_batch_metadata_cardinality{")
                && page.contains("trunkline_pipeline_refused_items"),
            "{page}"
        );
    });
}

#[test]
fn combinations_without_a_limit_are_forgotten_once_nothing_waits() {
    run(async {
        let bench = Bench::new(Config {
            metadata_keys: vec!["k".into()],
            metadata_cardinality_limit: 0,
            ..Config::default()
        });
        for n in 0..100 {
            let context = RequestContext {
                metadata: Some(Arc::new(vec![("k".into(), n.to_string())])),
                ..context()
            };
            assert_eq!(bench.request_from(1, context).await, Outcome::Accepted);
        }
        let page = scrape(&bench.core);
        let line = page
            .lines()
            .find(|l| l.starts_with("otelcol_processor_batch_metadata_cardinality{"))
            .unwrap();
        let known: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(known <= 3.0, "{line}");
    });
}

#[test]
fn profiles_are_not_batched() {
    let core = testing::core();
    let ledger = Rc::new(Ledger::new(core.registry.clone()).pipeline(0, "profiles"));
    let built = build(
        &Config::default(),
        "batch",
        Signal::Profiles,
        &core,
        &ledger,
        Rc::new(Sink::default()),
    );
    assert_eq!(built.err().unwrap(), "telemetry type is not supported");
}
