//! The states of a connection that exclude each other: one value each, so that no two of them can
//! disagree.
//!
//! Knows no connections. The rule it keeps: what cannot be at the same time cannot be written.

/// Whether a user is logged in on a connection, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody has ever logged in: small bounds, and counted among strangers while it is open.
    Stranger,
    /// A user is logged in.
    Named,
    /// A user was logged in. It keeps what a name brings: longer frames, more output.
    Trusted,
}

impl Standing {
    /// After a login, or after a logout.
    pub(super) fn after(self, named: bool) -> Self {
        match self {
            _ if named => Self::Named,
            Self::Named | Self::Trusted => Self::Trusted,
            Self::Stranger => Self::Stranger,
        }
    }
}

/// Whether the tail of a connection may hold whole messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Messages {
    /// It holds at most the beginning of one.
    Handled,
    /// It does, and something else must happen before they may be handled.
    Stalled,
    /// It does, and they are in the backlog.
    InLine,
}

/// The requests whose answers come later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// So many; another one may be handled meanwhile.
    Answers(u16),
    /// So many, and nothing else is handled before the last of them.
    Last(u16),
}

impl Owed {
    pub(super) const NOTHING: Self = Self::Answers(0);

    pub(super) const fn count(self) -> u16 {
        match self {
            Self::Answers(count) | Self::Last(count) => count,
        }
    }

    /// One more is owed. The second wait of one request is no other: first it waits for its
    /// password, then for the owner of the name.
    pub(super) fn begin(&mut self, alone: bool) {
        if let Self::Answers(count) = *self {
            let count = count.saturating_add(1);
            *self = if alone { Self::Last(count) } else { Self::Answers(count) };
        }
    }

    /// One has come.
    pub(super) fn end(&mut self) {
        *self = match *self {
            Self::Last(count) if count > 1 => Self::Last(count - 1),
            Self::Answers(count) | Self::Last(count) => Self::Answers(count.saturating_sub(1)),
        };
    }

    /// Nothing else is handled before what is owed.
    pub(super) fn close(&mut self) {
        if self.count() > 0 {
            *self = Self::Last(self.count());
        }
    }

    /// Whether a request must wait, where at most `max` may be under way.
    pub(super) const fn holds_up(self, max: u16) -> bool {
        match self {
            Self::Answers(count) => count >= max,
            Self::Last(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_had_a_name_is_no_stranger_again() {
        let named = Standing::Stranger.after(false).after(true);
        assert_eq!(named, Standing::Named);
        assert_eq!(named.after(false).after(false), Standing::Trusted);
        assert_eq!(Standing::Stranger.after(false), Standing::Stranger);
    }

    #[test]
    fn nothing_comes_before_the_last_answer() {
        let mut owed = Owed::NOTHING;
        owed.begin(false);
        assert!(!owed.holds_up(2));
        owed.begin(true);
        owed.begin(true);
        assert_eq!(owed, Owed::Last(2));
        owed.end();
        assert!(owed.holds_up(2));
        owed.end();
        assert_eq!(owed, Owed::NOTHING);
        owed.close();
        assert!(!owed.holds_up(1), "a goodbye waits for nothing");
    }
}
