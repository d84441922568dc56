//! The end of `copy`: bodies one after the other, each behind gRPC's prefix, one byte back for
//! each.

use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use trunkline_proto::Signal;

use super::receive::Receiver;
use crate::error::Error;
use crate::net;

/// How much is read at once.
const BUFFER: usize = 512 << 10;

/// Serves every connection until the sink ends.
pub async fn serve(listener: TcpListener, receiver: Rc<Receiver>) -> Result<(), Error> {
    loop {
        let stream = net::accept(&listener).await?;
        receiver.connected();
        let receiver = receiver.clone();
        tokio::task::spawn_local(async move {
            if let Err(e) = connection(stream, &receiver).await {
                eprintln!("trunkline-bench: sink: {e}");
            }
        });
    }
}

/// Where a stream of prefixed bodies is.
struct Position {
    prefix: [u8; 5],
    have: usize,
    left: usize,
}

async fn connection(mut stream: TcpStream, receiver: &Receiver) -> Result<(), Error> {
    let mut buffer = vec![0; BUFFER];
    let mut position = Position {
        prefix: [0; 5],
        have: 0,
        left: 0,
    };
    loop {
        let n = stream
            .read(&mut buffer)
            .await
            .map_err(Error::io("receiving"))?;
        if n == 0 {
            return Ok(());
        }
        let ended = position.pass(buffer.get(..n).unwrap_or_default());
        if ended > 0 {
            receiver.passed(Signal::Traces, ended as u64);
            stream
                .write_all(&vec![0; ended])
                .await
                .map_err(Error::io("answering"))?;
        }
    }
}

impl Position {
    /// Moves on by these bytes; how many bodies ended among them.
    fn pass(&mut self, mut bytes: &[u8]) -> usize {
        let mut ended = 0;
        while !bytes.is_empty() {
            if self.have < 5 {
                let n = bytes.len().min(5 - self.have);
                let (head, rest) = bytes.split_at(n);
                for (to, from) in self.prefix.iter_mut().skip(self.have).zip(head) {
                    *to = *from;
                }
                self.have += n;
                bytes = rest;
                if self.have == 5 {
                    let [_, a, b, c, d] = self.prefix;
                    self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                }
            } else {
                let n = bytes.len().min(self.left);
                self.left -= n;
                bytes = bytes.split_at(n).1;
            }
            if self.have == 5 && self.left == 0 {
                ended += 1;
                self.have = 0;
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_end_where_their_prefix_says_however_the_bytes_are_cut() {
        let stream: Vec<u8> = [3u8, 0, 300u16.to_be_bytes()[1]]
            .iter()
            .flat_map(|&n| {
                let mut body = vec![0, 0, 0, 0, n];
                body.extend(std::iter::repeat_n(9, usize::from(n)));
                body
            })
            .collect();
        for cut in 1..stream.len() {
            let mut position = Position {
                prefix: [0; 5],
                have: 0,
                left: 0,
            };
            let ended: usize = stream.chunks(cut).map(|c| position.pass(c)).sum();
            assert_eq!((ended, position.have, position.left), (3, 0, 0), "{cut}");
        }
    }
}
