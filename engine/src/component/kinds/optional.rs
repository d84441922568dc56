//! Blocks that may be on or off, and the switch in them.

use super::print_node;
use crate::{
    component::{
        declaration::{Printed, Problems, Setting, Shape},
        print,
    },
    config::{
        diagnostics::Decoder,
        node::{Node, Value},
    },
};

fn not_a_switch(node: &Node, cx: &mut Decoder<'_>) {
    let kind = if node.is_null() {
        "<nil>"
    } else {
        node.go_type()
    };
    let phrase = format!(
        "unexpected type {kind} for 'enabled': got '{}' value expected 'true' or 'false'",
        go_value(node)
    );
    cx.error(node, phrase, None);
}

/// A value as Go's `%v` shows it.
fn go_value(node: &Node) -> String {
    match &node.value {
        Value::Sequence(items) => {
            let items: Vec<String> = items.iter().map(go_value).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Mapping(mapping) => {
            let entries: Vec<String> = mapping
                .iter()
                .map(|(key, entry)| format!("{key}:{}", go_value(&entry.node)))
                .collect();
            format!("map[{}]", entries.join(" "))
        }
        _ => print::scalar_text(&print_node(node)).unwrap_or_else(|| "<nil>".into()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Presence {
    /// Off until it is written; `null` leaves it off.
    Absent,
    /// Off until it is written; written without a value it is on with its defaults.
    Off,
    /// On.
    On,
}

/// A block that may be on or off. Written, it is on; `enabled: false` in it
/// switches it off.
#[derive(Clone, Debug)]
pub struct Optional<T> {
    value: T,
    presence: Presence,
    switch: bool,
}

impl<T> Optional<T> {
    /// Off until written; `null` leaves it off.
    pub fn absent(base: T) -> Self {
        Optional {
            value: base,
            presence: Presence::Absent,
            switch: true,
        }
    }

    /// Off until written; a key without a value is on with these defaults.
    pub fn off(base: T) -> Self {
        Optional {
            value: base,
            presence: Presence::Off,
            switch: true,
        }
    }

    /// On with these defaults.
    pub fn on(base: T) -> Self {
        Optional {
            value: base,
            presence: Presence::On,
            switch: true,
        }
    }

    /// The same without the key `enabled`.
    pub fn without_switch(mut self) -> Self {
        self.switch = false;
        self
    }

    /// The block, when it is on.
    pub fn get(&self) -> Option<&T> {
        (self.presence == Presence::On).then_some(&self.value)
    }

    /// The block, when it is on.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        (self.presence == Presence::On).then_some(&mut self.value)
    }

    /// Is it on?
    pub fn is_on(&self) -> bool {
        self.presence == Presence::On
    }

    /// Switches it on and gives it.
    pub fn insert(&mut self) -> &mut T {
        self.presence = Presence::On;
        &mut self.value
    }

    /// Switches it off.
    pub fn remove(&mut self) {
        self.presence = Presence::Absent;
    }
}

impl<T: Setting + Default> Setting for Optional<T> {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        match &node.value {
            Value::Null => {
                if self.presence != Presence::Absent {
                    self.presence = Presence::On;
                }
            }
            // Without a switch this is a pointer to a block there, and no step of its own.
            Value::Mapping(_) if !self.switch => {
                self.value.decode(node, cx);
                self.presence = Presence::On;
            }
            Value::Mapping(mapping) => {
                let mut on = true;
                if let Some(switch) = mapping.get("enabled") {
                    match &switch.node.value {
                        Value::Bool(value) => on = *value,
                        _ => return not_a_switch(&switch.node, cx),
                    }
                }
                let mut rest = mapping.clone();
                rest.remove("enabled");
                let rest = Node::new(Value::Mapping(rest), node.at.clone());
                cx.leniently(false, |cx| {
                    cx.nested(|cx| self.value.decode(&rest, cx));
                });
                self.presence = if on { Presence::On } else { Presence::Absent };
            }
            _ => {
                let found = match node.value {
                    Value::Sequence(_) => "slice",
                    _ => node.go_type(),
                };
                let inner = if self.switch { "'' " } else { "" };
                let phrase = format!("{inner}expected a map or struct, got \"{found}\"");
                cx.error(node, phrase, None);
            }
        }
    }
    fn clear(&mut self) {}
    fn print(&self) -> Printed {
        self.get().map_or(Printed::Null, Setting::print)
    }
    fn shape(&self) -> Shape {
        Shape::Optional {
            on: self.is_on(),
            switch: self.switch,
            of: Box::new(self.value.shape()),
        }
    }
    fn check(&self, problems: &mut Problems) {
        if let Some(value) = self.get() {
            value.check(problems);
        }
    }
}
