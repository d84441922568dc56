//! Whether everything that was answered with success has arrived, once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use serde_json::{Value, json};

use crate::error::Error;
use crate::net;
use crate::sink::HyperIo;

/// How long the sink is given to have everything (a gateway may answer before it sends).
const PATIENCE: Duration = Duration::from_secs(5);

/// Compares what was accepted with what the sink has seen.
pub async fn against(control: SocketAddr, accepted: &[(u64, u64)]) -> Result<Value, Error> {
    let since = Instant::now();
    loop {
        let missing = get(control, "/missing").await?;
        let stats = get(control, "/stats").await?;
        let lost = lost(accepted, &missing);
        let done = lost == 0 || since.elapsed() >= PATIENCE;
        if done {
            return Ok(json!({
                "accepted": accepted.iter().map(|(_, n)| n).sum::<u64>(),
                "lost": lost,
                "complete": missing["complete"],
                "sink": stats["verified"],
            }));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Items that were accepted and are in no range that has come.
fn lost(accepted: &[(u64, u64)], missing: &Value) -> u64 {
    let end = missing["end"].as_u64().unwrap_or(0);
    let mut gaps: Vec<(u64, u64)> = missing["missing"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|r| Some((r.get(0)?.as_u64()?, r.get(1)?.as_u64()?)))
        .collect();
    gaps.push((end, u64::MAX));
    let mut accepted = accepted.to_vec();
    accepted.sort_unstable();
    let mut from = 0;
    let mut lost = 0;
    for (first, n) in accepted {
        // Gaps that end before this request end before all later ones.
        while gaps.get(from).is_some_and(|&(_, to)| to <= first) {
            from += 1;
        }
        for &(a, b) in gaps.get(from..).unwrap_or_default() {
            if a >= first + n {
                break;
            }
            lost += b.min(first + n) - a.max(first);
        }
    }
    lost
}

/// Asks the sink's control port.
pub async fn get(control: SocketAddr, path: &str) -> Result<Value, Error> {
    let failed = |e| Error::Http1(format!("asking the sink at {control}"), e);
    let stream = net::connect(control).await?;
    let (mut sender, connection) = http1::handshake(HyperIo::new(stream))
        .await
        .map_err(failed)?;
    tokio::task::spawn_local(async move { drop(connection.await) });
    let request = Request::get(path)
        .header("host", control.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(|e| Error::Measure(format!("asking the sink: {e}")))?;
    let response = sender.send_request(request).await.map_err(failed)?;
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(failed)?
        .to_bytes();
    serde_json::from_slice(&body).map_err(|e| Error::Measure(format!("the sink's answer: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_accepted_and_lies_in_a_gap_is_lost() {
        let missing = json!({"end": 100, "missing": [[10, 12], [50, 60]]});
        let cases: [(&[(u64, u64)], u64); 6] = [
            (&[], 0),
            (&[(0, 10), (12, 38)], 0),
            (&[(5, 10)], 2),
            (&[(55, 10), (0, 11)], 6),
            (&[(95, 10)], 5),
            (&[(200, 3)], 3),
        ];
        for (accepted, want) in cases {
            assert_eq!(lost(accepted, &missing), want, "{accepted:?}");
        }
    }
}
