//! Where configurations come from: how sources merge, and which cannot be read.

use super::*;

#[test]
fn sources_merge_in_their_order_and_sets_come_last() {
    let base = with(
        "exporters",
        "{debug: {sampling_initial: 5, verbosity: basic}}",
    );
    let load = Load {
        sets: vec![
            "exporters.debug.verbosity=detailed".into(),
            "processors.batch.timeout = 2s".into(),
            "exporters.debug.sampling_initial=${env:PORT}".into(),
        ],
        ..options(&[&base, "exporters: {debug: {sampling_thereafter: 7}, nop: }"])
    };
    let settings = Settings::load(&load).unwrap();
    let printed = print::yaml(&settings.print(), print::Mode { unredacted: false });
    for line in [
        "        sampling_initial: 4317\n",
        "        sampling_thereafter: 7\n",
        "        verbosity: Detailed\n",
        "        timeout: 2s\n",
        "    nop: {}\n",
    ] {
        assert!(printed.contains(line), "{line:?} is not in:\n{printed}");
    }
    let load = Load {
        sets: vec!["exporters.debug.verbosty=x".into()],
        ..options(&[&base])
    };
    let errors = Settings::load(&load).unwrap_err();
    assert!(
        errors
            .text(true)
            .contains("at --set exporters.debug.verbosty"),
        "{errors}"
    );
}

#[test]
fn sources_that_cannot_be_read_are_errors() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"a: 1\na: 2\n").unwrap();
    let twice = file.path().to_string_lossy().into_owned();
    let prefix = "failed to get config: cannot resolve the configuration: ";
    for (config, stage, phrase) in [
        (
            "nope.yaml",
            Stage::Resolve,
            "cannot retrieve the configuration: unable to read the file file:nope.yaml: open nope.yaml: no such file or directory",
        ),
        (
            "file:nope.yaml",
            Stage::Resolve,
            "cannot retrieve the configuration: unable to read the file file:nope.yaml: open nope.yaml: no such file or directory",
        ),
        (
            "s3:abc",
            Stage::Flags,
            "unsupported scheme on URI \"s3:abc\"",
        ),
        ("a_b:c", Stage::Flags, "invalid uri: \"a_b:c\""),
        (
            "yaml:foo",
            Stage::Resolve,
            "retrieved value (type=string) cannot be used as a Conf",
        ),
        (
            "yaml:[foo]",
            Stage::Resolve,
            "retrieved value (type=[]interface {}) cannot be used as a Conf",
        ),
        (
            "yaml:{a: ",
            Stage::Resolve,
            "retrieved value (type=string) cannot be used as a Conf: assuming string type since contents are not valid YAML: yaml: line 1: ",
        ),
        (
            &twice,
            Stage::Resolve,
            "mapping key \"a\" already defined at line 1",
        ),
        (
            "env:9BAD",
            Stage::Resolve,
            "environment variable \"9BAD\" has invalid name: must match regex ^[a-zA-Z_][a-zA-Z0-9_]*$",
        ),
        (
            "yaml:{exporters: {debug: {verbosity: '${foo:bar}'}}}",
            Stage::Resolve,
            "scheme \"foo\" is not supported for uri \"foo:bar\"",
        ),
    ] {
        let load = Load {
            configs: vec![config.to_owned()],
            environment: env,
            ..Load::default()
        };
        let errors = Settings::load(&load).unwrap_err();
        assert_eq!(errors.stage, stage, "{config}: {errors}");
        let shown = errors.text(true);
        assert_eq!(
            shown.starts_with(prefix),
            stage == Stage::Resolve,
            "{shown}"
        );
        assert!(
            shown.contains(phrase),
            "{config}: {phrase:?} is not in:\n{shown}"
        );
    }
}
