//! Files on their way without a server: what they want asked, which bytes go, and what lies in the
//! folder.

use super::taken::Keeping;
use super::*;
use crate::message::{Command, RoomName};
use std::fs;

mod sending_tests;
mod taking_tests;

const SEVEN: TransferId = TransferId(7);
const EIGHT: TransferId = TransferId(8);
const START: Duration = Duration::ZERO;
const HERE: Here<'_> =
    Here { now: START, can_ask: true, user: None, rooms: &[], names_room: false };

/// All that can be done without the server is done.
fn work(transfers: &mut Transfers) {
    while transfers.work(&HERE) {}
}

fn steps(transfers: &mut Transfers) -> Vec<Step> {
    std::iter::from_fn(|| transfers.poll_step()).collect()
}

fn refused(code: &str) -> Result<Reply, Problem> {
    Err(Problem { code: code.to_owned(), text: "no".to_owned(), wait_ms: None })
}

fn cancel(transfer: TransferId) -> Step {
    Step::Ask(FileAsk::Quiet, Command::Cancel { transfer })
}

fn hash(content: &[u8]) -> Digest {
    Digest(*blake3::hash(content).as_bytes())
}
