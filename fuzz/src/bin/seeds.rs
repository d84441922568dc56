//! Writes the seeds of the corpora: valid requests of every signal, and configurations. What
//! fuzzing found worth keeping lies beside them.
//!
//! `fuzz/seeds` runs it. It is linked as a target, because whatever is built with the targets'
//! counters wants libFuzzer, and ends before any fuzzing.

#![no_main]

use std::{error::Error, fs, path::Path};

use trunkline::net::compression::{Codec, Deflater};
use trunkline_proto::{
    Batch, Signal,
    batch::tests::generate::{Request, Rng, rewrite},
    json,
};

libfuzzer_sys::fuzz_target!(init: run(), |data: &[u8]| {
    let _ = data;
});

fn run() {
    let written = write();
    if let Err(error) = &written {
        eprintln!("seeds: {error}");
    }
    std::process::exit(i32::from(written.is_err()));
}

/// To the folder `TO`.
fn write() -> Result<(), Box<dyn Error>> {
    let corpus = std::env::var("TO")?;
    let corpus = Path::new(&corpus);
    for signal in Signal::ALL {
        let number = signal.index() as u8;
        for seed in 0..6u64 {
            let name = format!("{}-{seed}", signal.name());
            let r = &mut Rng::new(seed * 7 + 1);
            let plain = Request::random(signal, r).encode();
            let (rewritten, _) = rewrite(signal, &plain, r);
            let bytes = if seed % 2 == 0 { &plain } else { &rewritten };
            put(corpus, "otlp_protobuf", &name, &[&[number], &bytes[..]])?;
            if signal != Signal::Profiles {
                put(corpus, "otap_roundtrip", &name, &[&[number], &bytes[..]])?;
            }
            let mut text = Vec::new();
            json::from_protobuf(signal, &plain, &mut text)?;
            put(corpus, "otlp_json", &name, &[&[number], &text])?;

            // Edits of this request, and of a random one.
            let edits: Vec<u8> = (0..8 * 5).map(|_| r.below(256) as u8).collect();
            put(
                corpus,
                "edit_splice",
                &format!("{name}-raw"),
                &[&[number | 4, 8], &edits, &bytes[..]],
            )?;
            let choices: Vec<u8> = (0..200).map(|_| r.below(256) as u8).collect();
            put(
                corpus,
                "edit_splice",
                &format!("{name}-random"),
                &[&[number, 8], &edits, &choices],
            )?;
            Batch::from_protobuf(signal, plain.into())?;
        }
    }
    for (number, codec) in Codec::ALL.into_iter().enumerate() {
        let text = b"the same text again and again, the same text again and again".repeat(8);
        let mut packed = Vec::new();
        Deflater::new().deflate(codec, 0, &text, &mut packed)?;
        let name = codec.content_encoding();
        put(corpus, "bodies", name, &[&[number as u8 + 1, 12], &packed])?;
    }
    for kind in [8, 9] {
        for piece in [3, 7] {
            let name = format!("connection-{kind}-{piece}");
            put(
                corpus,
                "bodies",
                &name,
                &[&[kind, piece], &connection(kind == 8)],
            )?;
        }
    }
    let headers = b"grpc-timeout:10S\ngrpc-encoding:gzip\nx-scope-orgid:1\nuser-agent:grpc-go/1";
    put(corpus, "bodies", "headers", &[&[10, 0], headers])?;
    for (name, text) in CONFIGURATIONS {
        put(corpus, "configuration", name, &[text.as_bytes()])?;
    }
    // Some of the statements that the reference was asked: a word for what they are, and they.
    let cases: Vec<&str> = CASES.lines().collect();
    for (number, case) in cases.iter().step_by(cases.len() / 80).enumerate() {
        let Some((_, text)) = case.split_once(' ') else {
            continue;
        };
        let name = format!("{number}");
        put(corpus, "ottl_parser", &name, &[text.as_bytes()])?;
        let component = number as u8;
        put(
            corpus,
            "ottl_compiler",
            &name,
            &[&[component], text.as_bytes()],
        )?;
    }
    for (number, (context, text)) in PROGRAMS.into_iter().enumerate() {
        let r = &mut Rng::new(number as u64 + 1);
        let choices: Vec<u8> = (0..200).map(|_| r.below(256) as u8).collect();
        for mode in 0..3 {
            let name = format!("{number}-{mode}");
            let parts = [
                &[context | mode << 3],
                text.as_bytes(),
                b"\n---\n",
                &choices,
            ];
            put(corpus, "ottl_execution", &name, &parts)?;
        }
    }
    Ok(())
}

/// Programs for `ottl_execution`: the number of their context, and the statements.
const PROGRAMS: [(u8, &str); 15] = [
    (
        0,
        "set(span.attributes[\"a\"], \"x\") where span.attributes[\"b\"] == \"t1\"\ndelete_key(span.attributes, \"b\")\nset(span.name, Concat([span.name, resource.attributes[\"a\"]], \"-\"))",
    ),
    (
        0,
        "replace_pattern(span.attributes[\"a\"], \"t([0-9])\", \"$1-$1\")\ntruncate_all(span.attributes, 3)\nset(span.status.code, 2) where span.end_time - span.start_time > Duration(\"1s\")\nset(span.attributes[\"h\"], SHA256(span.attributes[\"k\"]))",
    ),
    (
        0,
        "?span.kind == SPAN_KIND_SERVER\n?IsMatch(span.name, \"t\")\nkeep_keys(span.attributes, [\"a\", \"k\"])\nset(span.attributes[span.name], 1)",
    ),
    (
        1,
        "set(log.body, ToUpperCase(log.body)) where IsString(log.body)\nset(log.severity_number, 17) where log.attributes[\"a\"] > 1 or log.body == nil\nset(log.attributes[\"n\"], Int(log.attributes[\"a\"]) + 1)",
    ),
    (
        1,
        "merge_maps(log.attributes, {\"a\": 1, \"z\": \"z\"}, \"upsert\")\nset(log.cache[\"x\"], log.attributes[\"a\"])\nset(log.attributes[\"y\"], log.cache[\"x\"])\nset(resource.attributes[\"seen\"], true)",
    ),
    (
        2,
        "set(datapoint.value_double, datapoint.value_double * 2.0) where metric.name != \"\"\nset(datapoint.attributes[\"b\"], nil)\nlimit(datapoint.attributes, 1, [\"a\"])",
    ),
    (
        3,
        "set(spanevent.attributes[\"a\"], span.name) where spanevent.name != \"\"\nset(span.name, spanevent.name)",
    ),
    (
        4,
        "set(metric.description, metric.name)\nconvert_sum_to_gauge() where metric.name != \"x\"\nscale_metric(2.0)",
    ),
    (
        5,
        "set(resource.attributes[\"a\"], Split(\"a,b\", \",\"))\nreplace_all_patterns(resource.attributes, \"value\", \"t\", \"T\")\nflatten(resource.attributes)",
    ),
    (
        1,
        "merge_maps(log.cache, ParseJSON(log.body), \"upsert\")\nset(log.attributes[\"x\"], log.cache[\"a\"])\nset(log.cache[\"b\"][\"c\"], log.attributes[\"x\"]) where log.cache != nil\nset(log.body, log.cache)",
    ),
    (
        1,
        "limit(log.attributes, 2, [\"a\"])\nreplace_all_matches(log.attributes, \"t*\", \"x\")\nreplace_all_patterns(log.attributes, \"value\", \"[0-9]\", \"#\")\nstringify_all(log.attributes)\nset(log.attributes[\"n\"], Len(log.attributes)) where Len(log.attributes) > 1",
    ),
    (
        0,
        "set(span.attributes[\"a\"][\"b\"], Split(span.name, \"t\")[0])\nset(span.attributes[\"l\"], [span.kind, span.attributes[\"a\"]])\nappend(span.attributes[\"l\"], SHA256(span.name))\nset(span.status.message, SHA256(span.name)) where SHA256(span.name) != nil\nclear(span.start_time)",
    ),
    (
        5,
        "?resource.attributes[\"a\"] == \"t1\"\n?resource.attributes[\"a\"] == \"t2\" or resource.attributes[\"a\"] == \"x\"\n?resource.attributes[\"a\"] == \"t3\" and Int(resource.attributes[\"b\"]) > 1\n?resource.attributes[\"a\"] == \"\"\n?IsMatch(resource.attributes[\"b\"], \"t\")\n?resource.attributes[\"a\"] == \"t4\"\nset(resource.attributes[\"b\"], 1)",
    ),
    (
        6,
        "set(scope.name, Concat([scope.name, scope.version], \"-\"))\ndelete_key(scope.attributes, \"a\")\nset(scope.attributes[\"r\"], resource.attributes[\"a\"]) where scope.name != \"\"",
    ),
    (
        7,
        "set(exemplar.filtered_attributes[\"a\"], 1) where exemplar.time_unix_nano > 0",
    ),
];

const CASES: &str = include_str!("../../../tests/ottl/cases.txt");

fn put(corpus: &Path, target: &str, name: &str, parts: &[&[u8]]) -> std::io::Result<()> {
    fs::create_dir_all(corpus.join(target))?;
    fs::write(
        corpus.join(target).join(format!("seed-{name}")),
        parts.concat(),
    )
}

/// Two calls on one connection, the frames of their bodies in turn, one padded.
fn connection(preface: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if preface {
        out.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        frame(&mut out, 4, 0, 0, b"");
    }
    for (stream, path) in [(1u32, b"/a"), (3, b"/b")] {
        // RFC 7541: POST, http from the static table; the path as a literal.
        let headers = [&[0x83, 0x86, 0x04, 2][..], path].concat();
        frame(&mut out, 1, 4, stream, &headers);
    }
    for stream in [1, 3] {
        frame(&mut out, 0, 0, stream, b"\0\0\0\0\x08abc");
    }
    frame(&mut out, 6, 0, 0, b"8 bytes.");
    frame(&mut out, 0, 8, 3, b"\x02d\0\0");
    frame(&mut out, 0, 1, 1, b"defgh");
    frame(&mut out, 0, 1, 3, b"efgh");
    frame(&mut out, 7, 0, 0, &[0; 8]);
    out
}

/// RFC 9113 §4.1.
fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = (payload.len() as u32).to_be_bytes();
    out.extend_from_slice(&[length[1], length[2], length[3], kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

const CONFIGURATIONS: [(&str, &str); 4] = [
    (
        "pipelines",
        "receivers:\n  otlp:\n    protocols:\n      grpc: {endpoint: '${env:HOST}:${env:PORT}'}\n      http:\nprocessors:\n  batch: {timeout: 200ms, send_batch_size: 10}\n  memory_limiter: {check_interval: 1s, limit_mib: 100}\nexporters:\n  otlp:\n    endpoint: localhost:1\n    tls: {insecure: true}\n    sending_queue: {queue_size: 5, num_consumers: 2}\n  debug: {verbosity: detailed}\nconnectors: {forward: }\nextensions: {health_check: }\nservice:\n  extensions: [health_check]\n  telemetry: {logs: {level: debug}, metrics: {level: normal}}\n  pipelines:\n    traces: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [forward]}\n    traces/out: {receivers: [forward], exporters: [otlp, debug]}\n",
    ),
    (
        "references",
        "receivers: {nop: {x: '${env:MAP}', y: '${LOOP}', z: '${NONE:-1}', w: '$$a${yaml:[1]}'}}\nexporters: {nop: }\nservice: {pipelines: {logs: {receivers: [nop], exporters: [nop]}}}\n",
    ),
    (
        "merged",
        "receivers: {nop: }\n---\nexporters: {nop: , debug: {verbosity: basic}}\n---\nservice: {pipelines: {logs: {receivers: [nop], exporters: [nop, debug]}}}\n",
    ),
    (
        "anchors",
        "a: &a {b: 1, c: [x, ~, true, 0x1f, 1e3, .inf]}\nd: {<<: *a, e: |\n    text\n  }\nf: >-\n  folded\n  text\ng: !!str 1\n",
    ),
];
