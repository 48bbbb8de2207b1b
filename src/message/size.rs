//! Bounds in bytes, for people.
//!
//! Refuses to round: a bound that is shown as 3 MiB is 3 MiB, or a file of that size would be
//! refused for no reason that anybody could see.

use crate::limits::{GIB, KIB, MIB};

/// In the largest unit that leaves no fraction: `3 MiB`, `1500 KiB`, `1000 bytes`.
#[must_use]
pub fn exact(bytes: u64) -> String {
    let units = [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")];
    let whole = |(unit, _): &(u64, &str)| bytes > 0 && bytes.is_multiple_of(*unit);
    match units.into_iter().find(whole) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_shown_in_the_largest_unit_that_is_exact() {
        let shown = [0, 1000, 1024, 1536 * KIB, 3 * MIB, 3 * MIB + 1, 10 * GIB].map(exact);
        let expected =
            ["0 bytes", "1000 bytes", "1 KiB", "1536 KiB", "3 MiB", "3145729 bytes", "10 GiB"];
        assert_eq!(shown, expected);
    }
}
