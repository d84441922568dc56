//! What each codec costs a span, and what it makes of the bytes: the figures of
//! docs/performance.md, section "Codecs".
//!
//! ```text
//! cargo run --profile fast --example codecs [DIRECTORY]
//! ```
//! With a directory, the bodies are left there as `0.pb`, `1.pb`, … so that other
//! programs can compress the same bytes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{hint::black_box, time::Instant};

use trunkline::net::{
    buffers::Buffer,
    compression::{Codec, Deflater, Inflater},
};

const SPANS: usize = 512;
const BODIES: u64 = 8;

fn main() {
    let bodies: Vec<Vec<u8>> = (0..BODIES).map(request).collect();
    if let Some(directory) = std::env::args().nth(1) {
        for (i, body) in bodies.iter().enumerate() {
            std::fs::write(format!("{directory}/{i}.pb"), body)
                .expect("cannot write to the directory");
        }
    }
    let size = bodies.iter().map(Vec::len).sum::<usize>() / bodies.len();
    println!(
        "{} bodies of {SPANS} spans, {size} bytes each on average, {} a span",
        bodies.len(),
        size / SPANS
    );
    println!(
        "{:<16} {:>5} {:>12} {:>12} {:>9} {:>7}",
        "codec", "level", "out ns/span", "in ns/span", "bytes", "ratio"
    );
    let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
    for (codec, levels) in [
        (Codec::Gzip, &[1, 2, 3, 6, 9][..]),
        (Codec::Zlib, &[1]),
        (Codec::Zstd, &[1, 3]),
        (Codec::Snappy, &[0]),
        (Codec::XSnappyFramed, &[0]),
        (Codec::Lz4, &[0]),
    ] {
        for &level in levels {
            let deflate = best(&bodies, |body| {
                let mut out = Buffer::with_capacity(body.len());
                deflater.deflate(codec, level, body, &mut out).unwrap();
                black_box(out.len());
            });
            let wires: Vec<Vec<u8>> = bodies
                .iter()
                .map(|body| {
                    let mut wire = Vec::new();
                    deflater.deflate(codec, level, body, &mut wire).unwrap();
                    wire
                })
                .collect();
            let inflate = best(&wires, |wire| {
                let mut out = Buffer::with_capacity(64 << 10);
                inflater
                    .inflate(codec, wire, 64 << 20, &mut out, |_| Ok(()))
                    .unwrap();
                black_box(out.len());
            });
            let bytes = wires.iter().map(Vec::len).sum::<usize>() / wires.len();
            println!(
                "{:<16} {level:>5} {deflate:>12.0} {inflate:>12.0} {bytes:>9} {:>7.2}",
                codec.content_encoding(),
                size as f64 / bytes as f64
            );
        }
    }
}

/// Nanoseconds a span: the best of many rounds over all bodies, the machine being shared.
fn best(bodies: &[Vec<u8>], mut work: impl FnMut(&[u8])) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..60 {
        let start = Instant::now();
        for body in bodies {
            work(body);
        }
        best = best.min(start.elapsed().as_nanos() as f64 / (bodies.len() * SPANS) as f64);
    }
    best
}

/// A request of 8 resources with 64 server spans each: keys and some values repeat, ids are
/// random, paths and addresses vary, times rise.
fn request(seed: u64) -> Vec<u8> {
    let mut random = Random(seed * 7919 + 0x1234_5678_9abc_def1);
    let routes = [
        "/api/v1/orders/{id}",
        "/api/v1/customers/{id}/addresses",
        "/api/v1/products",
        "/api/v1/cart/{session}/items",
        "/health",
        "/api/v2/search",
        "/api/v1/payments/{id}/capture",
    ];
    let agents = [
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
        "okhttp/4.12.0",
        "python-requests/2.32.3",
        "Go-http-client/2.0",
    ];
    let mut now = 1_763_000_000_000_000_000 + seed * 1_000_000_000;
    let mut request = Vec::new();
    for _ in 0..SPANS / 64 {
        let mut resource = Vec::new();
        text(
            &mut resource,
            1,
            "service.name",
            random.of(&["checkout", "frontend", "payment", "catalog"]),
        );
        text(
            &mut resource,
            1,
            "service.instance.id",
            &format!("{:016x}{:016x}", random.next(), random.next()),
        );
        text(&mut resource, 1, "telemetry.sdk.language", "java");
        text(
            &mut resource,
            1,
            "k8s.pod.name",
            &format!("checkout-{:08x}", random.next() as u32),
        );
        let mut scope = Vec::new();
        bytes(&mut scope, 1, b"io.opentelemetry.tomcat-10.0");
        bytes(&mut scope, 2, b"2.9.0-alpha");
        let mut scope_spans = Vec::new();
        bytes(&mut scope_spans, 1, &scope);
        let mut trace = [0; 16];
        for i in 0..64 {
            if i % 8 == 0 {
                trace[..8].copy_from_slice(&random.next().to_le_bytes());
                trace[8..].copy_from_slice(&random.next().to_le_bytes());
            }
            let (route, method) = (
                random.of(&routes),
                random.of(&["GET", "GET", "GET", "POST", "PUT", "DELETE"]),
            );
            now += random.below(2_000_000);
            let mut span = Vec::new();
            bytes(&mut span, 1, &trace);
            bytes(&mut span, 2, &random.next().to_le_bytes());
            bytes(&mut span, 4, &random.next().to_le_bytes());
            bytes(&mut span, 5, format!("{method} {route}").as_bytes());
            varint(&mut span, 6 << 3);
            varint(&mut span, 2);
            for (field, time) in [(7, now), (8, now + random.below(90_000_000))] {
                varint(&mut span, field << 3 | 1);
                span.extend_from_slice(&u64::to_le_bytes(time));
            }
            let path = route
                .replace("{id}", &random.below(10_000_000).to_string())
                .replace("{session}", &format!("{:016x}", random.next()));
            text(&mut span, 9, "http.request.method", method);
            text(&mut span, 9, "url.scheme", "https");
            text(
                &mut span,
                9,
                "url.full",
                &format!("https://shop.example.com{path}"),
            );
            text(
                &mut span,
                9,
                "url.query",
                &format!("page={}&session={:016x}", random.below(50), random.next()),
            );
            text(&mut span, 9, "http.route", route);
            number(
                &mut span,
                "http.response.status_code",
                random.of(&[200, 200, 200, 201, 404, 500]),
            );
            text(&mut span, 9, "server.address", "shop.example.com");
            number(&mut span, "server.port", 443);
            text(
                &mut span,
                9,
                "client.address",
                &format!(
                    "10.{}.{}.{}",
                    random.below(256),
                    random.below(256),
                    random.below(256)
                ),
            );
            text(&mut span, 9, "user_agent.original", random.of(&agents));
            text(&mut span, 9, "network.protocol.version", "1.1");
            number(&mut span, "thread.id", random.below(200));
            text(
                &mut span,
                9,
                "thread.name",
                &format!("http-nio-8080-exec-{}", random.below(200)),
            );
            text(
                &mut span,
                9,
                "enduser.id",
                &format!("{:016x}{:016x}", random.next(), random.next()),
            );
            bytes(&mut span, 15, &[3 << 3, 1]);
            bytes(&mut scope_spans, 2, &span);
        }
        let mut resource_spans = Vec::new();
        bytes(&mut resource_spans, 1, &resource);
        bytes(&mut resource_spans, 2, &scope_spans);
        bytes(&mut request, 1, &resource_spans);
    }
    request
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn text(out: &mut Vec<u8>, field: u64, key: &str, value: &str) {
    let mut any = Vec::new();
    bytes(&mut any, 1, value.as_bytes());
    key_value(out, field, key, &any);
}

fn number(out: &mut Vec<u8>, key: &str, value: u64) {
    let mut any = Vec::new();
    varint(&mut any, 3 << 3);
    varint(&mut any, value);
    key_value(out, 9, key, &any);
}

fn key_value(out: &mut Vec<u8>, field: u64, key: &str, any: &[u8]) {
    let mut pair = Vec::new();
    bytes(&mut pair, 1, key.as_bytes());
    bytes(&mut pair, 2, any);
    bytes(out, field, &pair);
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}
