//! Time zones as Go's package `time` has them: the one of the process, those of the time zone
//! database (which comes with the program, so that results do not depend on the machine), and
//! those that a text's abbreviation or offset makes up. Dates are not here.

use std::sync::OnceLock;

use tz::{TimeZone, TimeZoneRef};

/// A place's zone, with all its changes.
pub type Place = &'static TimeZoneRef<'static>;

/// The zone that a time is told in.
#[derive(Clone, Copy, Debug)]
pub enum Zone {
    /// Greenwich.
    Utc,
    /// One offset.
    Fixed(Fixed),
    /// A place.
    Place(Place),
}

/// A zone of one offset, under a name that can be empty.
#[derive(Clone, Copy, Debug)]
pub struct Fixed {
    offset: i32,
    len: u8,
    name: [u8; Fixed::NAME],
}

impl Fixed {
    /// Names are abbreviations; of a longer one (`GMT+0000000007`) the beginning stays.
    const NAME: usize = 11;

    /// Seconds east of Greenwich, under a name.
    pub fn new(offset: i32, name: &[u8]) -> Fixed {
        let mut kept = [0; Fixed::NAME];
        let len = name.len().min(Fixed::NAME);
        for (to, from) in kept.iter_mut().zip(name) {
            *to = *from;
        }
        Fixed {
            offset,
            len: len as u8,
            name: kept,
        }
    }
}

impl Zone {
    /// The zone of this name in the time zone database, as `time.LoadLocation` finds it: `""` and
    /// `UTC` are Greenwich, `Local` the process's zone, and names are taken as they are spelled.
    pub fn load(name: &str) -> Option<Zone> {
        match name {
            "" | "UTC" => Some(Zone::Utc),
            "Local" => Some(Zone::local()),
            _ => {
                let place = tzdb_data::find_tz(name.as_bytes())?;
                tzdb_data::TZ_NAMES
                    .contains(&name)
                    .then_some(Zone::Place(place))
            }
        }
    }

    /// The zone of the process: that of `TZ`, or of `/etc/localtime`. Tests are in Greenwich.
    pub fn local() -> Zone {
        if cfg!(test) {
            return Zone::Utc;
        }
        static LOCAL: OnceLock<Option<(TimeZone, OnceLock<TimeZoneRef<'static>>)>> =
            OnceLock::new();
        let found = LOCAL.get_or_init(|| read_local().map(|zone| (zone, OnceLock::new())));
        match found {
            Some((zone, place)) => Zone::Place(place.get_or_init(|| zone.as_ref())),
            None => match std::env::var("TZ") {
                Ok(name) => Zone::load(name.strip_prefix(':').unwrap_or(&name)),
                Err(_) => None,
            }
            .unwrap_or(Zone::Utc),
        }
    }

    /// Its abbreviation and its seconds east of Greenwich at a time in seconds since 1970.
    pub fn at(&self, seconds: i64) -> (&[u8], i32) {
        match self {
            Zone::Utc => (b"UTC", 0),
            Zone::Fixed(fixed) => {
                let name = fixed.name.get(..usize::from(fixed.len));
                (name.unwrap_or_default(), fixed.offset)
            }
            Zone::Place(place) => {
                let found = place.find_local_time_type(seconds).ok();
                match found.or_else(|| place.local_time_types().first()) {
                    Some(found) => (found.time_zone_designation().as_bytes(), found.ut_offset()),
                    None => (b"UTC", 0),
                }
            }
        }
    }

    /// Its seconds east of Greenwich at a time.
    pub fn offset(&self, seconds: i64) -> i32 {
        self.at(seconds).1
    }

    /// The offset that an abbreviation means at a time which is told in it: the one in force
    /// then, if there is one of that name, else any.
    pub fn offset_of(&self, name: &[u8], told: i64) -> Option<i32> {
        let Zone::Place(place) = self else {
            return None;
        };
        let types = place.local_time_types().iter();
        let mut named = types
            .filter(|found| found.time_zone_designation().as_bytes() == name)
            .map(|found| found.ut_offset());
        let in_force = named.clone().find_map(|offset| {
            let (found, offset) = self.at(told.saturating_sub(i64::from(offset)));
            (found == name).then_some(offset)
        });
        in_force.or_else(|| named.next())
    }

    /// Seconds since 1970 of what the clock of the zone shows as so many seconds since 1970.
    pub fn from_shown(&self, shown: i64) -> i64 {
        match self.offset(shown) {
            0 => shown,
            offset => shown - i64::from(self.offset(shown - i64::from(offset))),
        }
    }
}

/// The process's zone where a file has it.
fn read_local() -> Option<TimeZone> {
    let path = match std::env::var("TZ") {
        Err(_) => "/etc/localtime".to_owned(),
        Ok(name) => {
            let name = name.strip_prefix(':').unwrap_or(&name).to_owned();
            name.starts_with('/').then_some(name)?
        }
    };
    TimeZone::from_tz_data(&std::fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn zones_are_found_as_they_are_spelled() {
        for (name, found) in [
            ("Europe/Berlin", true),
            ("europe/berlin", false),
            ("America/New_York", true),
            ("EST", true),
            ("PST", false),
            ("", true),
            ("UTC", true),
            ("Local", true),
            ("../UTC", false),
        ] {
            assert_eq!(Zone::load(name).is_some(), found, "{name}");
        }
    }

    #[test]
    fn offsets_are_those_of_the_time() {
        let york = Zone::load("America/New_York").unwrap();
        assert_eq!(york.at(1_581_452_772), (&b"EST"[..], -18_000));
        assert_eq!(york.at(1_594_452_772), (&b"EDT"[..], -14_400));
        // Long after the last change that the database lists.
        assert_eq!(york.at(4_750_000_000), (&b"EDT"[..], -14_400));
        assert_eq!(york.offset_of(b"EDT", 1_581_452_772), Some(-14_400));
        assert_eq!(york.offset_of(b"CET", 1_581_452_772), None);
        // 02:30 of the night in which clocks go from 2 to 3 is told in the time before.
        assert_eq!(york.from_shown(1_583_634_600), 1_583_649_000);
    }
}
