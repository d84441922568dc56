//! The exporter end to end: requests in, files out.

use std::{fs, path::Path};

use trunkline_proto::{batch::Level, otlp::ExportLogsServiceRequest};

use super::{config::Config, *};
use crate::exporters::testing;

fn config(path: &Path, change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config {
        path: path.to_str().unwrap().to_owned(),
        ..Config::default()
    };
    change(&mut config);
    config
}

fn export(config: &Config, batches: Vec<Batch>) -> (Vec<Outcome>, CoreContext) {
    let core = testing::core();
    let writer = open(config, std::iter::empty()).unwrap();
    let exporter = build(&testing::id("file"), config, Signal::Logs, &core, writer).unwrap();
    let outcomes = testing::run(async move {
        let context = testing::context();
        let mut outcomes = Vec::new();
        for batch in batches {
            outcomes.push(exporter.consume(batch, &context).await);
        }
        outcomes
    });
    (outcomes, core)
}

/// Messages behind their lengths.
fn framed(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let (message, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        messages.push(message.to_vec());
        bytes = rest;
    }
    assert!(bytes.is_empty());
    messages
}

/// collector.md §2.18, framing.
#[test]
fn a_request_is_a_line_or_a_message_behind_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let batches = || vec![testing::logs(&[("a", 1)]), testing::logs(&[("b", 2)])];
    let json = |batch: &Batch| {
        let mut line = Vec::new();
        json::from_protobuf(Signal::Logs, &batch.to_protobuf(), &mut line).unwrap();
        line
    };
    let lines: Vec<_> = batches().iter().map(json).collect();
    let protos: Vec<_> = batches().iter().map(|b| b.to_protobuf().to_vec()).collect();
    for (format, compression) in [
        ("json", ""),
        ("proto", ""),
        ("json", "zstd"),
        ("proto", "zstd"),
    ] {
        let config = config(&path, |config| {
            config.format = format.to_owned();
            config.compression = compression.to_owned();
        });
        let (outcomes, core) = export(&config, batches());
        assert_eq!(outcomes, [Outcome::Accepted, Outcome::Accepted]);
        let written = fs::read(&path).unwrap();
        let wanted = if format == "json" { &lines } else { &protos };
        let found = match (format, compression) {
            ("json", "") => written
                .strip_suffix(b"\n")
                .unwrap()
                .split(|b| *b == b'\n')
                .map(<[u8]>::to_vec)
                .collect(),
            (_, "") => framed(&written),
            _ => framed(&written)
                .iter()
                .map(|message| zstd::decode_all(&message[..]).unwrap())
                .collect(),
        };
        assert_eq!(&found, wanted, "{format} {compression}");
        let page = testing::scrape(&core);
        assert!(page.contains("otelcol_exporter_sent_log_records_total{exporter=\"file\"} 3"));
    }
}

#[test]
fn what_was_edited_is_written_edited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let config = config(&path, |config| config.format = "proto".to_owned());
    let mut batch = testing::logs(&[("a", 1), ("b", 1)]);
    batch.open().unwrap().drop_row(Level::Resource, 0).unwrap();
    export(&config, vec![batch]);
    let messages = framed(&fs::read(&path).unwrap());
    let request: ExportLogsServiceRequest = prost::Message::decode(&messages[0][..]).unwrap();
    assert_eq!(request.resource_logs.len(), 1);
}

#[test]
fn append_writes_on_and_otherwise_the_file_is_emptied_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    for (append, lines) in [(false, 1), (false, 1), (true, 2)] {
        let config = config(&path, |config| config.append = append);
        export(&config, vec![testing::logs(&[("a", 1)])]);
        let written = fs::read_to_string(&path).unwrap();
        assert_eq!(written.lines().count(), lines);
    }
}

#[test]
fn directories_are_made_on_demand_with_the_permissions_asked_for() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/out");
    let missing = open(&config(&path, |_| {}), std::iter::empty())
        .err()
        .unwrap();
    assert_eq!(
        missing,
        format!("open {}: no such file or directory", path.display())
    );
    let rotating = open(
        &config(&path, |config| {
            config.rotation.insert();
        }),
        std::iter::empty(),
    );
    assert_eq!(
        rotating.err().unwrap(),
        format!(
            "migrating legacy backups: reading directory {0}: open {0}: no such file or directory",
            path.parent().unwrap().display()
        )
    );
    let made = config(&path, |config| {
        config.create_directory = true;
        config.directory_permissions = "0700".to_owned();
    });
    drop(open(&made, std::iter::empty()).unwrap());
    let mode = fs::metadata(path.parent().unwrap())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// collector.md §2.18: a full file is renamed; a request that no file can hold is refused.
#[test]
fn files_rotate_by_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.json");
    let config = config(&path, |config| {
        config.rotation.insert().max_megabytes = 1;
    });
    let large = || testing::logs(&[("a", 20_000)]);
    let (outcomes, _) = export(&config, vec![large(), large(), testing::logs(&[("a", 1)])]);
    assert_eq!(outcomes, vec![Outcome::Accepted; 3]);
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].starts_with("out-2") && names[0].ends_with("-size.json"));
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);

    let (outcomes, core) = export(&config, vec![testing::logs(&[("a", 40_000)])]);
    let Outcome::Refused(refusal) = &outcomes[0] else {
        panic!("{outcomes:?}");
    };
    assert!(!refusal.retryable);
    assert!(
        refusal
            .message
            .contains("exceeds maximum file size 1048576")
    );
    assert!(testing::scrape(&core).contains(
        "otelcol_exporter_send_failed_log_records_total{error_permanent=\"true\",error_type=\"InvalidArgument\",exporter=\"file\"} 40000"
    ));
}

/// A disk that is full is worth another try; the system's text goes to the sender.
#[test]
fn a_full_disk_refuses_for_now() {
    let config = config(Path::new("/dev/full"), |_| {});
    let (outcomes, _) = export(&config, vec![testing::logs(&[("a", 1)])]);
    assert_eq!(
        outcomes,
        [Outcome::Refused(Refusal::retry(
            "write /dev/full: no space left on device",
            None
        ))]
    );
}

#[test]
fn resources_go_to_the_files_their_attribute_names() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("*/out.json"), |config| {
        config.group_by.enabled = true;
        config.group_by.max_open_files = 1;
    });
    let batches = vec![
        testing::logs(&[("a", 1), ("b/c", 2)]),
        testing::logs(&[("a", 1), ("", 5)]),
    ];
    let (outcomes, core) = export(&config, batches);
    assert_eq!(outcomes[0], Outcome::Accepted);
    assert_eq!(
        outcomes[1],
        Outcome::Partial {
            rejected: 5,
            message: "Resource does not contain fileexporter.path_segment attribute, dropping it"
                .to_owned()
        }
    );
    for (name, lines) in [("a", 2), ("b/c", 1)] {
        let written = fs::read_to_string(folder.path().join(name).join("out.json")).unwrap();
        assert_eq!(written.lines().count(), lines, "{name}");
    }
    let page = testing::scrape(&core);
    assert!(page.contains("otelcol_exporter_sent_log_records_total{exporter=\"file\"} 4"));
}
