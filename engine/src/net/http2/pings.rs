//! A server's word on its clients' pings (gRPC, "Server-side Connection Management"):
//! which of them come too often, and the farewell of a connection with too many. Fed
//! by `divert`, which sees every frame; `h2` itself answers the pings. Pings that the
//! server sends are in `server`, those of a client in `keepalive`.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

/// Frame types (RFC 9113 §6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
/// The flag of an answer to a ping.
const ACK: u8 = 1;
/// RFC 9113 §7.
const ENHANCE_YOUR_CALM: u32 = 11;
/// What clients look for in the farewell: they wait longer between pings after it.
const TOO_MANY_PINGS: &[u8] = b"too_many_pings";
/// Pings that may come too early before the connection ends, as in grpc-go.
const STRIKES: u32 = 2;
/// Time between pings while no call is open, where those are not allowed (grpc-go).
const IDLE: Duration = Duration::from_secs(2 * 60 * 60);

/// How often clients may ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Shortest time between two pings.
    pub min_time: Duration,
    /// The same while no call is open; otherwise two hours.
    pub permit_without_stream: bool,
}

impl Default for Policy {
    /// grpc-go's, which holds where nothing is configured.
    fn default() -> Self {
        Policy {
            min_time: Duration::from_secs(5 * 60),
            permit_without_stream: false,
        }
    }
}

/// The pings of one connection, shared by its bytes and its calls.
#[derive(Clone, Debug)]
pub struct Police(Rc<State>);

#[derive(Debug)]
struct State {
    policy: Policy,
    last: Cell<Option<Instant>>,
    strikes: Cell<u32>,
    /// The server sent something of a call: the next ping is in order.
    forgiven: Cell<bool>,
    newest_stream: Cell<u32>,
    open: Cell<u64>,
}

impl Police {
    /// A connection without pings so far.
    pub fn new(policy: Policy) -> Police {
        Police(Rc::new(State {
            policy,
            last: Cell::new(None),
            strikes: Cell::new(0),
            forgiven: Cell::new(false),
            newest_stream: Cell::new(0),
            open: Cell::new(0),
        }))
    }

    /// A frame of the client came, by its type, flags and stream.
    pub fn came(&self, kind: u8, flags: u8, stream: u32) {
        match kind {
            // Trailers are of a stream that is open already.
            HEADERS if stream > self.0.newest_stream.get() => {
                self.0.newest_stream.set(stream);
                self.0.open.set(self.0.open.get() + 1);
            }
            PING if flags & ACK == 0 => self.ping(Instant::now()),
            _ => {}
        }
    }

    /// A frame of the server goes out, by its type.
    pub fn went(&self, kind: u8) {
        if matches!(kind, DATA | HEADERS) {
            self.0.forgiven.set(true);
        }
    }

    /// A call has ended.
    pub fn ended(&self) {
        self.0.open.set(self.0.open.get().saturating_sub(1));
    }

    fn ping(&self, now: Instant) {
        let last = self.0.last.replace(Some(now));
        if self.0.forgiven.replace(false) {
            self.0.strikes.set(0);
            return;
        }
        let policy = &self.0.policy;
        let wait = if self.0.open.get() == 0 && !policy.permit_without_stream {
            IDLE
        } else {
            policy.min_time
        };
        if last.is_some_and(|last| now.duration_since(last) < wait) {
            self.0.strikes.set(self.0.strikes.get() + 1);
        }
    }

    /// Whether the connection is to end.
    pub fn broken(&self) -> bool {
        self.0.strikes.get() > STRIKES
    }

    /// The GOAWAY frame that says so.
    pub fn farewell(&self) -> Vec<u8> {
        let length = (8 + TOO_MANY_PINGS.len()) as u32;
        let [_, a, b, c] = length.to_be_bytes();
        let mut frame = vec![a, b, c, GOAWAY, 0, 0, 0, 0, 0];
        frame.extend_from_slice(&self.0.newest_stream.get().to_be_bytes());
        frame.extend_from_slice(&ENHANCE_YOUR_CALM.to_be_bytes());
        frame.extend_from_slice(TOO_MANY_PINGS);
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Step {
        /// A ping, so many seconds after the one before; whether the connection is to end then.
        Ping(u64, bool),
        Call,
        Answer,
        End,
    }
    use Step::{Answer, Call, End, Ping};

    #[test]
    fn pings_that_come_too_often_end_the_connection_as_in_grpc_go() {
        let free = |min_time| Policy {
            min_time: Duration::from_secs(min_time),
            permit_without_stream: true,
        };
        let strict = |min_time| Policy {
            min_time: Duration::from_secs(min_time),
            permit_without_stream: false,
        };
        let cases: &[(Policy, &[Step])] = &[
            (
                Policy::default(),
                &[
                    Ping(0, false),
                    Ping(1, false),
                    Ping(1, false),
                    Ping(1, true),
                ],
            ),
            (
                strict(10),
                &[
                    Ping(0, false),
                    Ping(3600, false),
                    Ping(3600, false),
                    Ping(3600, true),
                ],
            ),
            (
                strict(10),
                &[
                    Call,
                    Ping(0, false),
                    Ping(9, false),
                    Ping(10, false),
                    Ping(9, false),
                    Ping(9, true),
                ],
            ),
            (
                strict(10),
                &[
                    Call,
                    Ping(0, false),
                    End,
                    Ping(10, false),
                    Ping(10, false),
                    Ping(10, true),
                ],
            ),
            (
                free(10),
                &[
                    Ping(0, false),
                    Ping(10, false),
                    Ping(11, false),
                    Ping(10, false),
                ],
            ),
            (
                free(10),
                &[
                    Ping(0, false),
                    Ping(9, false),
                    Ping(9, false),
                    Ping(9, true),
                ],
            ),
            (
                free(10),
                &[
                    Ping(0, false),
                    Ping(1, false),
                    Ping(1, false),
                    Answer,
                    Ping(1, false),
                    Ping(1, false),
                    Ping(1, false),
                    Ping(1, true),
                ],
            ),
        ];
        for (case, (policy, steps)) in cases.iter().enumerate() {
            let police = Police::new(*policy);
            let mut now = Instant::now();
            for step in *steps {
                match step {
                    Ping(after, broken) => {
                        now += Duration::from_secs(*after);
                        police.ping(now);
                        assert_eq!(police.broken(), *broken, "case {case}");
                    }
                    Call => police.came(HEADERS, 4, 1),
                    Answer => police.went(HEADERS),
                    End => police.ended(),
                }
            }
        }
    }

    #[test]
    fn answers_and_trailers_are_no_pings_and_no_calls() {
        let police = Police::new(Policy::default());
        for _ in 0..10 {
            police.came(PING, ACK, 0);
            police.came(HEADERS, 5, 1);
        }
        assert!(!police.broken());
        assert_eq!(police.0.open.get(), 1);
        assert_eq!(
            police.farewell(),
            b"\0\0\x16\x07\0\0\0\0\0\0\0\0\x01\0\0\0\x0btoo_many_pings"
        );
    }
}
