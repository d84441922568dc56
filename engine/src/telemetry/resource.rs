//! The resource that own metrics and logs describe: `service.name`,
//! `service.version`, `service.instance.id`, changed by `service::telemetry::resource`.

use std::{collections::BTreeMap, fs};

/// The attributes of this process, by name. `overrides` come from the configuration:
/// a text sets an attribute, `None` takes a default one away.
pub fn attributes(
    name: &str,
    version: &str,
    overrides: &[(String, Option<String>)],
) -> Vec<(String, String)> {
    let mut attributes: BTreeMap<String, String> = [
        ("service.name", name.to_owned()),
        ("service.version", version.to_owned()),
        ("service.instance.id", instance_id()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    for (name, value) in overrides {
        match value {
            Some(value) => attributes.insert(name.clone(), value.clone()),
            None => attributes.remove(name),
        };
    }
    attributes.into_iter().collect()
}

/// A random UUID, new with every start; the kernel makes it (`random(4)`).
fn instance_id() -> String {
    match fs::read_to_string("/proc/sys/kernel/random/uuid") {
        Ok(uuid) => uuid.trim().to_owned(),
        // Without /proc the process number has to tell instances apart.
        Err(_) => std::process::id().to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_adds_replaces_and_removes_attributes() {
        let plain = attributes("trunkline", "0.1.0", &[]);
        let names: Vec<_> = plain.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["service.instance.id", "service.name", "service.version"]
        );
        assert_eq!(plain[0].1.len(), 36, "{}", plain[0].1);

        let overrides = [
            ("service.name".to_owned(), Some("gw".to_owned())),
            ("zone".to_owned(), Some("a".to_owned())),
            ("service.instance.id".to_owned(), None),
        ];
        let pairs = [
            ("service.name", "gw"),
            ("service.version", "0.1.0"),
            ("zone", "a"),
        ];
        let expected: Vec<_> = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(attributes("trunkline", "0.1.0", &overrides), expected);
    }
}
