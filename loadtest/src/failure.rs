//! Why a run could not be finished. What a finished run found is a report, not a failure.

use std::io;
use std::time::Duration;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The system said no.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// The server did not come up, or did not go down as it should.
    #[error("{0}")]
    Server(String),
    /// The server refused what a scenario needs before it can begin.
    #[error("client {who} could not take its place: {why}")]
    NotPlaced {
        /// Which client.
        who: usize,
        /// What the server said.
        why: String,
    },
    /// Nothing happened any more.
    #[error("no progress for {} s while {doing}: {state}; the run was ended", patience.as_secs())]
    Stalled {
        /// What the run was about.
        doing: &'static str,
        /// How far it had come.
        state: String,
        /// How long nothing happened.
        patience: Duration,
    },
    /// Somebody asked the load test to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// For `map_err`: an error of the system with what was tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        |error| Self::Io { what: what.into(), error }
    }
}
