//! `files`: pairs, of which one hands files to the other, one after another, through the server's
//! queue. Every byte is compared with what it must be.

use parlor::front::native::{self, FromServer};
use parlor::id::TransferId;
use parlor::message::{Announced, Command, Ending, Event, FileRef, Reply};
use parlor::wire::frame;

use super::{Run, entrance};
use crate::dialect::{FRAME_MAX, Heard};
use crate::failure::Failure;
use crate::figure::{
    BYTES_PER_S, FILES_DELIVERED, LONGEST_WAIT_MS, SERVER_PEAK_OVER_START_BYTES, TOOK_S,
    WRONG_CHUNKS,
};
use crate::options::Plan;
use crate::progress::Progress;
use crate::report::Meter;
use crate::rng::Rng;
use crate::swarm::{Script, Swarm};

/// Requests about files begin with this id: none of them is the last word of an entrance.
const REQUEST_ID: u64 = 100;
/// A prime, so that a shifted part of a file is never taken for the right one.
const PATTERN_BYTES: usize = 65_537;

/// One pair's file under way.
#[derive(Clone, Debug, Default)]
struct Handover {
    number: usize,
    transfer: Option<TransferId>,
    sent: usize,
    credit: u64,
    received: usize,
    ended: [bool; 2],
    is_over: bool,
}

struct Files {
    size: usize,
    chunk_max: usize,
    until_ns: u64,
    pattern: Vec<u8>,
    pairs: Vec<Handover>,
    delivered: u64,
    delivered_bytes: u64,
    wrong_chunks: u64,
    waited_ms_max: u64,
    faults: Vec<String>,
    progress: Progress,
}

/// Runs it.
pub(super) fn run(run: Run<'_>) -> Result<(), Failure> {
    let Run { plan, server, swarm, report } = run;
    let from_start = Meter::start(server);
    entrance::enter(plan, swarm, plan.clients)?;
    let meter = Meter::start(server);
    let begun_ns = swarm.refresh_now();
    let mut files = Files::new(plan, begun_ns);
    for pair in 0..files.pairs.len() {
        files.announce(swarm, pair);
    }
    swarm.wake_at_ns(begun_ns);
    swarm.run_until(
        &mut files,
        "files are handed over",
        |files, _| files.pairs.iter().all(|pair| pair.is_over) || files.faults.len() > 10,
        |files| format!("{} were delivered", files.delivered),
    )?;
    let seconds = (swarm.now_ns() - begun_ns) as f64 / 1e9;
    report.add(FILES_DELIVERED, files.delivered);
    report.add(BYTES_PER_S, (files.delivered_bytes as f64 / seconds).round());
    report.add(TOOK_S, seconds);
    report.add(WRONG_CHUNKS, files.wrong_chunks);
    report.add(LONGEST_WAIT_MS, files.waited_ms_max);
    report.used(&meter.stop(server), 0);
    report.add_some(SERVER_PEAK_OVER_START_BYTES, from_start.stop(server).peak_over_start_bytes());
    if files.wrong_chunks > 0 {
        report.fault("bytes arrived that were not sent".to_owned());
    }
    files.faults.into_iter().for_each(|fault| report.fault(fault));
    Ok(())
}

impl Files {
    fn new(plan: &Plan, begun_ns: u64) -> Self {
        Self {
            size: plan.size,
            chunk_max: parlor::limits::CHUNK_MAX,
            until_ns: begun_ns + plan.seconds.as_nanos() as u64,
            pattern: Rng::new(1).bytes(PATTERN_BYTES),
            pairs: vec![Handover::default(); plan.clients / 2],
            delivered: 0,
            delivered_bytes: 0,
            wrong_chunks: 0,
            waited_ms_max: 0,
            faults: Vec::new(),
            progress: Progress::new("files"),
        }
    }

    fn announce(&mut self, swarm: &mut Swarm, pair: usize) {
        let number = self.pairs[pair].number + 1;
        self.pairs[pair] = Handover { number, ..Handover::default() };
        let user = Some(format!("u{}", 2 * pair + 1).into());
        let name = format!("{pair} {number}.bin").into();
        let file = Announced { name, size: self.size as u64, hash: None, again: false };
        ask(swarm, 2 * pair, &Command::SendFile { user, room: None, file });
    }

    fn send(&mut self, swarm: &mut Swarm, pair: usize) {
        let handover = &mut self.pairs[pair];
        let Some(transfer) = handover.transfer else { return };
        while handover.credit > 0 && handover.sent < self.size {
            let granted = usize::try_from(handover.credit).unwrap_or(usize::MAX);
            let length = self.chunk_max.min(granted).min(self.size - handover.sent);
            let chunk: Vec<u8> = runs(&self.pattern, pair, handover.number, handover.sent, length)
                .collect::<Vec<_>>()
                .concat();
            swarm.say(2 * pair).extend_from_slice(&frame::emit_chunk(transfer, &chunk));
            handover.sent += length;
            handover.credit -= length as u64;
        }
    }

    fn on_event(&mut self, swarm: &mut Swarm, who: usize, event: Event) {
        let pair = who / 2;
        match event {
            Event::Admitted { transfer, waited_ms, credit, .. } => {
                self.waited_ms_max = self.waited_ms_max.max(waited_ms);
                self.pairs[pair].transfer = Some(transfer);
                self.pairs[pair].credit += credit;
                self.send(swarm, pair);
            }
            Event::Credit { bytes, .. } => {
                self.pairs[pair].credit += bytes;
                self.send(swarm, pair);
            }
            Event::Offered { file } => {
                let file = FileRef::Number(file.transfer);
                ask(swarm, who, &Command::Get { file, offset: 0 });
            }
            Event::Ended { how: Ending::Stored, .. } => self.on_half(swarm, pair, 0),
            Event::Receipt { took: true, .. } => self.on_half(swarm, pair, 1),
            Event::Ended { how, .. } => self.fault(pair, how.to_string()),
            _ => {}
        }
    }

    fn on_chunk(&mut self, swarm: &mut Swarm, who: usize, transfer: u32, bytes: &[u8]) {
        let pair = who / 2;
        let handover = &mut self.pairs[pair];
        let mut rest = bytes;
        let same =
            runs(&self.pattern, pair, handover.number, handover.received, bytes.len()).all(|run| {
                let (head, tail) = rest.split_at(run.len());
                rest = tail;
                head == run
            });
        self.wrong_chunks += u64::from(!same);
        handover.received += bytes.len();
        if handover.received == self.size {
            ask(swarm, who, &Command::Received { transfer: TransferId(transfer) });
        }
    }

    /// The server has all of a file, or its receiver has.
    fn on_half(&mut self, swarm: &mut Swarm, pair: usize, half: usize) {
        self.pairs[pair].ended[half] = true;
        if self.pairs[pair].ended != [true, true] {
            return;
        }
        if self.pairs[pair].received != self.size {
            return self.fault(pair, format!("{} bytes arrived", self.pairs[pair].received));
        }
        self.delivered += 1;
        self.delivered_bytes += self.size as u64;
        if swarm.now_ns() < self.until_ns {
            self.announce(swarm, pair);
        } else {
            self.pairs[pair].is_over = true;
        }
    }

    fn on_answer(&mut self, who: usize, frame: &[u8]) {
        let Ok(Some((FromServer::Answer { answer, .. }, _))) =
            native::parse_server(frame, FRAME_MAX)
        else {
            return;
        };
        match answer {
            Ok(Reply::Announced { transfer, .. }) => self.pairs[who / 2].transfer = Some(transfer),
            Ok(_) => {}
            Err(problem) => self.fault(who / 2, problem.text),
        }
    }

    fn fault(&mut self, pair: usize, why: String) {
        self.pairs[pair].is_over = true;
        self.faults.push(format!("pair {pair}: {why}"));
    }
}

impl Script for Files {
    fn on_heard(&mut self, swarm: &mut Swarm, who: usize, heard: Heard<'_>) {
        swarm.progress();
        match heard {
            Heard::Chunk { transfer, bytes } => self.on_chunk(swarm, who, transfer, bytes),
            Heard::Event(event) => self.on_event(swarm, who, *event),
            Heard::Answer { frame, .. } => self.on_answer(who, frame),
            Heard::Ping(token) => swarm.dialect.sign_of_life(swarm.say(who), token),
            _ => {}
        }
    }

    fn on_closed(&mut self, _: &mut Swarm, who: usize) {
        self.fault(who / 2, "the connection ended".to_owned());
    }

    fn on_turn(&mut self, _: &mut Swarm) {
        let (delivered, bytes) = (self.delivered, self.delivered_bytes);
        self.progress.show(|| format!("delivered {delivered}, {bytes} bytes"));
    }
}

fn ask(swarm: &mut Swarm, who: usize, command: &Command<'_>) {
    swarm.say(who).extend_from_slice(&native::emit_request(REQUEST_ID, command));
}

/// The bytes `at..at + length` of a pair's file, as pieces of the pattern; each file begins
/// somewhere else in it.
fn runs(
    pattern: &[u8],
    pair: usize,
    number: usize,
    at: usize,
    length: usize,
) -> impl Iterator<Item = &[u8]> {
    let mut from = (pair * 7919 + number * 104_729 + at) % pattern.len();
    let mut left = length;
    std::iter::from_fn(move || {
        let run = &pattern[from..pattern.len().min(from + left)];
        left -= run.len();
        from = 0;
        (!run.is_empty()).then_some(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_however_it_is_cut_and_another_one_is_not() {
        let pattern: Vec<u8> = (0..101).collect();
        let read = |number, cuts: &[usize]| {
            let mut at = 0;
            let mut file = Vec::new();
            for &length in cuts {
                file.extend(runs(&pattern, 3, number, at, length).flatten().copied());
                at += length;
            }
            file
        };
        assert_eq!(read(1, &[250]), read(1, &[1, 99, 100, 50]));
        assert_eq!(read(1, &[250]).len(), 250);
        assert_ne!(read(1, &[250]), read(2, &[250]));
    }
}
