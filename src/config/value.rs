//! Texts to values and back: counts, sizes, durations, addresses, levels.
//!
//! Refuses to know which setting it reads. The rules it keeps: what is shown can be read again and
//! gives the same value; every refusal says what would be taken.

use super::mistake::quoted;
use crate::address::Address;
use log::LevelFilter;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Units of a size, largest first. Powers of two only: `MB` means two things to two people.
const SIZES: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
/// Units of a duration in milliseconds, largest first.
const TIMES: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
/// The levels that a log can have.
const LEVELS: [LevelFilter; 4] =
    [LevelFilter::Off, LevelFilter::Error, LevelFilter::Info, LevelFilter::Debug];

pub(super) fn parse_count(text: &str, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let hint = format!("use {} to {}", range.start(), range.end());
    match text.parse::<u64>() {
        Ok(count) if range.contains(&count) => Ok(count),
        Err(_) if !is_whole(text) => Err(format!("{} is not a number; {hint}", quoted(text))),
        Ok(_) | Err(_) => Err(format!("{} is out of bounds; {hint}", quoted(text))),
    }
}

/// Whether it is a whole number at all, of any size and sign.
fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A plain number counts bytes.
pub(super) fn parse_bytes(text: &str, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let hint = || format!("use {} to {}", format_bytes(*range.start()), format_bytes(*range.end()));
    let bytes = with_unit(text, &SIZES, "B")
        .ok_or_else(|| format!("{} is not a size like 3MiB or 256KiB; {}", quoted(text), hint()))?;
    if range.contains(&bytes) {
        return Ok(bytes);
    }
    Err(format!("{} is out of bounds; {}", quoted(text), hint()))
}

pub(super) fn format_bytes(bytes: u64) -> String {
    format_unit(bytes, &SIZES, "B")
}

/// A whole number with `ms`, `s`, `m`, `h` or `d`; a plain number counts seconds.
///
/// # Errors
/// In words: what is wrong with it and what would be taken.
pub fn parse_time(text: &str, range: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let hint = || format!("use {} to {}", format_time(*range.start()), format_time(*range.end()));
    let time = with_unit(text, &TIMES, "s").map(Duration::from_millis).ok_or_else(|| {
        format!("{} is not a duration like 30s, 500ms or 2m; {}", quoted(text), hint())
    })?;
    if range.contains(&time) {
        return Ok(time);
    }
    Err(format!("{} is out of bounds; {}", quoted(text), hint()))
}

pub(super) fn format_time(time: Duration) -> String {
    format_unit(crate::id::millis(time), &TIMES, "ms")
}

/// Addresses from any number of texts, each of which may hold several with commas between.
pub(super) fn parse_addresses(texts: &[String]) -> Result<Vec<Address>, String> {
    texts.iter().flat_map(|text| text.split(',')).map(|text| parse_address(text.trim())).collect()
}

fn parse_address(text: &str) -> Result<Address, String> {
    Address::parse(text).ok_or_else(|| {
        let shape = "use an address and a port, as in 127.0.0.1:7575, [::1]:7575 or \
                     localhost:7575, or a path, as in unix:/run/parlor.sock";
        format!("{} is not an address; {shape}", quoted(text))
    })
}

/// One of two words.
pub(super) fn parse_choice(text: &str, words: &[&str; 2]) -> Result<bool, String> {
    let [yes, no] = words;
    if text.eq_ignore_ascii_case(yes) {
        Ok(true)
    } else if text.eq_ignore_ascii_case(no) {
        Ok(false)
    } else {
        Err(format!("{} is neither {yes} nor {no}", quoted(text)))
    }
}

pub(super) fn parse_level(text: &str) -> Result<LevelFilter, String> {
    let known = LEVELS.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(text));
    known.ok_or_else(|| format!("{} is not a level; use off, error, info or debug", quoted(text)))
}

pub(super) fn format_level(level: LevelFilter) -> String {
    level.as_str().to_ascii_lowercase()
}

/// `None` if it is not a whole number and a unit, or more than 64 bits hold.
fn with_unit(text: &str, units: &[(&str, u64)], plain: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = if unit.is_empty() { plain } else { unit.trim_start() };
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// In the largest unit that shows it as a whole number.
fn format_unit(value: u64, units: &[(&str, u64)], plain: &str) -> String {
    let whole = units.iter().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor));
    whole.map_or_else(|| format!("0{plain}"), |(name, factor)| format!("{}{name}", value / factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_with_and_without_a_unit() {
        let bytes = |text| parse_bytes(text, &(0..=1 << 50));
        assert_eq!(bytes("3MiB"), Ok(3 << 20));
        assert_eq!(bytes("256 kib"), Ok(256 << 10));
        assert_eq!(bytes("2GiB"), Ok(2 << 30));
        assert_eq!(bytes("77"), Ok(77));
        for wrong in ["", "MiB", "3MB", "-1", "1.5MiB", "3 M", "99999999TiB", "1e3", "٣"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            parse_bytes("5TiB", &(1..=1 << 40)).unwrap_err(),
            "\"5TiB\" is out of bounds; use 1B to 1TiB"
        );
    }

    #[test]
    fn durations_are_read_with_a_unit_or_in_seconds() {
        let time = |text| parse_time(text, &(Duration::ZERO..=Duration::from_secs(86_400)));
        assert_eq!(time("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(time("45"), Ok(Duration::from_secs(45)));
        for wrong in ["", "s", "soon", "1.5s", "-3s", "2d", "25h"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn counts_say_what_is_wrong_with_them() {
        let refusal = |text| parse_count(text, &(1..=10_000)).unwrap_err();
        assert_eq!(refusal("many"), "\"many\" is not a number; use 1 to 10000");
        assert_eq!(refusal("1.5"), "\"1.5\" is not a number; use 1 to 10000");
        assert_eq!(refusal(""), "\"\" is not a number; use 1 to 10000");
        for outside in ["0", "10001", "-5", "99999999999999999999999"] {
            assert!(refusal(outside).contains("is out of bounds; use 1 to"), "{outside}");
        }
        assert_eq!(parse_count("10000", &(1..=10_000)), Ok(10_000));
    }

    #[test]
    fn addresses_may_be_several_and_need_a_port() {
        let texts = ["127.0.0.1:1, [::1]:2".to_owned(), "host:3".to_owned()];
        let all = parse_addresses(&texts).unwrap();
        let shown: Vec<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.0.1:1", "[::1]:2", "host:3"]);
        for wrong in ["", "127.0.0.1", ":7575", "127.0.0.1:70000", "127.0.0.1:1,"] {
            assert!(parse_addresses(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read_again(value: u64) {
            prop_assert_eq!(parse_bytes(&format_bytes(value), &(0..=u64::MAX)), Ok(value));
            let time = Duration::from_millis(value);
            prop_assert_eq!(parse_time(&format_time(time), &(Duration::ZERO..=Duration::MAX)), Ok(time));
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC{0,20}") {
            let _ = parse_bytes(&text, &(0..=10));
            let _ = parse_time(&text, &(Duration::ZERO..=Duration::ZERO));
            let _ = parse_addresses(&[text]);
        }
    }
}
