//! What rows leave behind when they are dropped or go elsewhere: metrics without points, profiles
//! without samples, scopes and resources without items.

use trunkline_ottl::run::Selected;
use trunkline_proto::batch::{Data, Error, Level};

/// Whether rows of a level are within items: metrics and profiles, which can be without any.
pub fn is_inner(level: Level) -> bool {
    matches!(level, Level::DataPoint | Level::Sample)
}

/// Leaves some rows of a level in a request. Profiles that lose all their samples go with them;
/// those that had none stay.
///
/// # Errors
/// [`Error::Decode`] when an entity is not valid.
pub fn retain(data: &mut Data, level: Level, keep: impl FnMut(u32) -> bool) -> Result<(), Error> {
    if level != Level::Sample {
        return data.retain_rows(level, keep);
    }
    let before = holders(data, level)?;
    data.retain_rows(level, keep)?;
    let after = holders(data, level)?;
    data.retain_rows(Level::Item, |row| {
        !before.contains(row) || after.contains(row)
    })
}

/// Drops what holds nothing any more, or never did, around rows of the level `deepest` and of
/// those above it. A span without events stays.
///
/// # Errors
/// [`Error::Decode`] when an entity is not valid.
pub fn drop_emptied(data: &mut Data, deepest: Level) -> Result<(), Error> {
    if deepest == Level::DataPoint {
        let held = holders(data, Level::DataPoint)?;
        for metric in data.rows(Level::Item)? {
            // One of no type has no points to lose.
            if !held.contains(metric) && data.metric_type(metric)?.is_some() {
                data.drop_row(Level::Item, metric)?;
            }
        }
    }
    let around = [(Level::Scope, Level::Item), (Level::Resource, Level::Scope)];
    // Asked about resources only, nobody has looked into scopes.
    let skip = usize::from(deepest == Level::Resource);
    for (level, below) in around.into_iter().skip(skip) {
        let held = holders(data, below)?;
        if held.len() < data.rows(level)?.len() {
            data.retain_rows(level, |row| held.contains(row))?;
        }
    }
    Ok(())
}

/// The rows that hold rows of a level.
///
/// # Errors
/// [`Error::Decode`] when an entity is not valid.
pub fn holders(data: &mut Data, level: Level) -> Result<Selected, Error> {
    let mut held = Selected::default();
    for row in data.rows(level)? {
        if let Some(parent) = data.parent(level, row) {
            held.insert(parent);
        }
    }
    Ok(held)
}
