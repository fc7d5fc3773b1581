//! Names of zones that name no place: `GMT+2`, `+02:00`, `EST`, `Etc/GMT-5`.
//!
//! Some of them are IANA names, and few people expect what those mean: `Etc/GMT+2` is UTC-2, `EST` has no
//! daylight saving. This says what each means, and names places to write instead.

mod places;

use super::span::Seconds;
use super::zone::{Zone, Zones};
use places::{ABBREVIATIONS, PLACES};

/// A day in winter and one in summer of the last year for which every form of tzdata lists its changes.
const JANUARY_2037: Seconds = 2_115_590_400;
const JULY_2037: Seconds = 2_131_228_800;

/// The largest offset in use, in minutes.
const LARGEST: i32 = 14 * 60;

/// What such a name means, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// In a sentence that begins with the name.
    pub what: String,
    /// What to write.
    pub write: String,
}

/// Whether a name is one of these, so that it must not be suggested.
pub(super) fn is_one(name: &str) -> bool {
    name.contains(|c: char| c.is_ascii_digit()) || places_of(name).is_some()
}

/// What a name of this kind means that is an IANA name; none for UTC's own names.
pub(super) fn meaning(zones: &Zones, zone: &Zone) -> Option<Meaning> {
    let name = zone.name();
    if let Some(hours) = inverted_hours(name) {
        if hours == 0 {
            return None;
        }
        let write = format!(
            "write an IANA name of a place: {}; for {} the name is \"{}\"",
            places_at(zones, hours * 60),
            utc(-hours * 60),
            inverted(-hours)
        );
        return Some(Meaning { what: inverted_what(name, hours), write });
    }
    let places = places_of(abbreviation(name))?;
    let same = |place: &&&str| find(zones, place).is_some_and(|place| offsets(&place) == offsets(zone));
    let what = match (offsets(zone), places.iter().find(same)) {
        ((winter, summer), _) if winter == summer => {
            format!("`{name}` is {} all year, without daylight saving", utc(winter))
        }
        (_, Some(place)) => format!("`{name}` follows the clocks of {}", described(zones, place)),
        (_, None) => format!("`{name}` is {}", clocks(zone)),
    };
    Some(Meaning { what, write: format!("write an IANA name of a place: {}", list(zones, places)) })
}

/// What a name of this kind was meant as that is no IANA name.
pub(super) fn meaning_of_none(zones: &Zones, name: &str) -> Option<Meaning> {
    if let Some(hours) = inverted_hours(name) {
        let what = format!("{}; and there is no such IANA name", inverted_what(name, hours));
        return Some(Meaning { what, write: write_offset(zones, hours * 60) });
    }
    if let Some(minutes) = minutes(name) {
        let what = format!("`{name}` is no IANA name");
        return Some(Meaning { what, write: write_offset(zones, minutes) });
    }
    let places = places_of(abbreviation(name))?;
    let what = format!("`{name}` is no IANA name, and an abbreviation may stand for several zones");
    Some(Meaning { what, write: format!("write an IANA name such as {}", list(zones, places)) })
}

fn inverted_what(name: &str, hours: i32) -> String {
    format!("`{name}` is {}: the sign in these names is inverted", utc(hours * 60))
}

/// What to write for an offset as people mean it.
fn write_offset(zones: &Zones, minutes: i32) -> String {
    if minutes == 0 {
        return "write \"UTC\"".to_owned();
    }
    let places = format!("write an IANA name of a place: {}", places_at(zones, minutes));
    let name = inverted(minutes / 60);
    if minutes % 60 == 0 && find(zones, &name).is_some() {
        format!("{places}; or \"{name}\", which is {}: the sign in these names is inverted", utc(minutes))
    } else {
        places
    }
}

/// Two places at most whose clocks are that much ahead of UTC outside of summer.
fn places_at(zones: &Zones, minutes: i32) -> String {
    let at = |place: &&&str| find(zones, place).is_some_and(|place| offsets(&place).0 == minutes);
    let places: Vec<&str> = PLACES.iter().filter(at).take(2).copied().collect();
    if places.is_empty() { "Europe/Berlin, say".to_owned() } else { list(zones, &places) }
}

fn list(zones: &Zones, places: &[&str]) -> String {
    places.iter().map(|place| described(zones, place)).collect::<Vec<_>>().join(" or ")
}

/// A place and its clocks: `Europe/Berlin (UTC+1, in summer UTC+2)`.
fn described(zones: &Zones, place: &str) -> String {
    match find(zones, place) {
        Some(zone) => format!("{place} ({})", clocks(&zone)),
        None => place.to_owned(),
    }
}

/// A zone, if there is one. Not by [`Zones::get`]: what that says of a wrong name comes from here.
fn find(zones: &Zones, name: &str) -> Option<Zone> {
    zones.known(name).ok().flatten()
}

fn clocks(zone: &Zone) -> String {
    let (winter, summer) = offsets(zone);
    if winter == summer {
        format!("{} all year", utc(winter))
    } else {
        format!("{}, in summer {}", utc(winter), utc(summer))
    }
}

/// What a zone's clocks are ahead of UTC by, in minutes: in winter and in summer, wherever on earth it is.
fn offsets(zone: &Zone) -> (i32, i32) {
    let at = |t| (zone.offset_of(t) / 60) as i32;
    let (january, july) = (at(JANUARY_2037), at(JULY_2037));
    (january.min(july), january.max(july))
}

/// An offset in minutes as people write it: `UTC+5:30`.
fn utc(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
    match (hours, rest) {
        (0, 0) => "UTC".to_owned(),
        (_, 0) => format!("UTC{sign}{hours}"),
        (_, _) => format!("UTC{sign}{hours}:{rest:02}"),
    }
}

/// The IANA name of a whole number of hours ahead of UTC.
fn inverted(hours: i32) -> String {
    format!("Etc/GMT{}{}", if hours < 0 { '+' } else { '-' }, hours.abs())
}

/// The hours ahead of UTC that `Etc/GMT+2` and its like mean: their sign is inverted.
fn inverted_hours(name: &str) -> Option<i32> {
    let offset = without_prefix(name, "etc/gmt")?;
    let minutes = signed_minutes(offset)?;
    (minutes % 60 == 0).then_some(-minutes / 60)
}

/// The minutes ahead of UTC that somebody means by `UTC+2`, `GMT-5:30` or `+0200`.
fn minutes(name: &str) -> Option<i32> {
    let name: String = name.chars().filter(|c| !c.is_whitespace()).collect();
    if name.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let prefixes = ["etc/utc", "etc/gmt", "utc", "gmt"];
    match prefixes.into_iter().find_map(|prefix| without_prefix(&name, prefix)) {
        Some(offset) if offset.starts_with(|c: char| c.is_ascii_digit()) => {
            signed_minutes(&format!("+{offset}"))
        }
        Some(offset) => signed_minutes(offset),
        None => signed_minutes(&name),
    }
}

fn without_prefix<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let start = name.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &name[prefix.len()..])
}

/// `+2`, `-05:30`, `+0530`, in minutes.
fn signed_minutes(text: &str) -> Option<i32> {
    let (sign, digits) = if let Some(rest) = text.strip_prefix('+') {
        (1, rest)
    } else {
        (-1, text.strip_prefix(['-', '\u{2212}'])?)
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "00"),
    };
    let number = |text: &str| {
        let plain = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<i32>().ok())?
    };
    let (hours, minutes) = (number(hours)?, number(minutes).filter(|minutes| *minutes < 60)?);
    let all = hours * 60 + minutes;
    (all <= LARGEST).then_some(sign * all)
}

/// The abbreviation that a name is, or that it begins with as POSIX has it: `EST5EDT`, `MSK-3`.
fn abbreviation(name: &str) -> &str {
    let end = name.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(name.len());
    let is_posix = name[end..].trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit());
    if is_posix { &name[..end] } else { name }
}

fn places_of(abbreviation: &str) -> Option<&'static [&'static str]> {
    ABBREVIATIONS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(abbreviation))
        .map(|(_, places)| *places)
}

#[cfg(test)]
mod tests;
