//! The loader of `copy`: the same bodies, one after the other on a socket, one byte back for
//! each. What HTTP/2 costs is the difference.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Semaphore;

use super::Options;
use super::client::Outcome;
use super::run::{Measured, Run};
use crate::error::Error;
use crate::net;

/// What has been sent and not answered: first sequence number, items, bytes, when.
type Waiting = Rc<RefCell<VecDeque<(u64, u64, usize, Instant)>>>;

/// Runs the load over bare sockets.
pub async fn run(options: &Options) -> Result<Measured, Error> {
    let run = Run::new(options)?;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..options.connections {
        let stream = connect(options).await?;
        let (reader, writer) = stream.into_split();
        let waiting = Waiting::default();
        let room = Rc::new(Semaphore::new(options.in_flight));
        tasks.spawn_local(send(run.clone(), writer, waiting.clone(), room.clone()));
        tasks.spawn_local(receive(run.clone(), reader, waiting, room));
    }
    run.clock(options).await?;
    tasks.shutdown().await;
    Ok(run.finish())
}

async fn connect(options: &Options) -> Result<TcpStream, Error> {
    let since = Instant::now();
    loop {
        match net::connect(options.to).await {
            Err(_) if since.elapsed() < options.connect_timeout => {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            end => return end,
        }
    }
}

async fn send(
    run: Rc<Run>,
    mut writer: OwnedWriteHalf,
    waiting: Waiting,
    room: Rc<Semaphore>,
) -> Result<(), Error> {
    while !run.over() {
        match room.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) => return Ok(()),
        }
        let (body, items, first) = run.pool.take()?;
        waiting
            .borrow_mut()
            .push_back((first, items, body.len(), Instant::now()));
        writer
            .write_all(&body)
            .await
            .map_err(Error::io("sending"))?;
    }
    Ok(())
}

async fn receive(
    run: Rc<Run>,
    mut reader: OwnedReadHalf,
    waiting: Waiting,
    room: Rc<Semaphore>,
) -> Result<(), Error> {
    let mut answers = [0; 256];
    loop {
        let n = reader
            .read(&mut answers)
            .await
            .map_err(Error::io("receiving"))?;
        if n == 0 {
            return Ok(());
        }
        for _ in 0..n {
            if let Some((first, items, bytes, sent)) = waiting.borrow_mut().pop_front() {
                run.count(Outcome::Accepted { rejected: 0 }, first, items, bytes, sent);
            }
        }
        room.add_permits(n);
    }
}
