//! What was acknowledged outlives the server: it is killed with SIGKILL at random points under
//! load, started again on the same folder, and held to every promise that it made.
//!
//! A kill takes the process and leaves the kernel: what was written survives, synced or not. That
//! a sync comes before each acknowledgement is what the simulation of power cuts is for.
//!
//! The same with files that are on their way; and what happens when the disk is full.
//!
//! `PARLOR_LONG=1` runs 1,000 cycles, `CRASH_CYCLES=n` any number; `CRASH_SEED=n` draws other
//! points. Two runs of one seed are alike, not equal: two processes are never scheduled in the same
//! way twice.

#[cfg(target_os = "linux")]
#[path = "crash/disk.rs"]
mod disk;
#[cfg(target_os = "linux")]
#[path = "crash/files.rs"]
mod files;
#[path = "crash/ledger.rs"]
mod ledger;
#[path = "crash/mail.rs"]
mod mail;
#[path = "crash/promises.rs"]
mod promises;
#[path = "support/rng.rs"]
mod rng;
#[path = "support/server.rs"]
mod running;
#[path = "crash/server.rs"]
mod server;
#[path = "crash/swarm.rs"]
mod swarm;
#[path = "crash/transfers.rs"]
mod transfers;

use std::path::Path;

use mail::Mail;
use promises::Promises;
use rng::Rng;
use server::Server;
use swarm::{Happened, Line, Swarm};

/// A mailbox that is full now and then.
const OPTIONS: [&str; 1] = ["--letters=200"];

#[test]
fn row_59_what_was_acknowledged_outlives_any_number_of_kills() {
    let cycles = if std::env::var_os("PARLOR_LONG").is_some() { 1000 } else { 50 };
    let cycles = number("CRASH_CYCLES").unwrap_or(cycles);
    let seed = number("CRASH_SEED").unwrap_or(59);
    println!("seed {seed}, {cycles} cycles");
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(folder.path(), seed);
    stage.open();
    for cycle in 0..cycles {
        stage.live_and_die(usize::try_from(cycle).unwrap());
    }
    stage.end();
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// All that outlives the server.
struct Stage<'a> {
    folder: &'a Path,
    rng: Rng,
    mail: Mail,
    promises: Promises,
    answers: usize,
}

impl<'a> Stage<'a> {
    fn new(folder: &'a Path, seed: u64) -> Self {
        let (mail, promises) = (Mail::new(), Promises::default());
        Self { folder, rng: Rng::new(seed), mail, promises, answers: 0 }
    }

    /// The first life: accounts are made, and acknowledged.
    fn open(&mut self) {
        let server = Server::start(self.folder, &OPTIONS);
        let mut swarm = Swarm::new(server.addr);
        self.mail.register(&mut swarm);
        self.promises.register(&mut swarm);
        server.kill();
    }

    fn live_and_die(&mut self, cycle: usize) {
        let server = Server::start(self.folder, &OPTIONS);
        let mut swarm = Swarm::new(server.addr);
        self.promises.check(&mut swarm, &mut self.rng);
        self.mail.begin(&mut swarm, &mut self.rng);
        let waits = self.promises.begin(&mut swarm, cycle);
        self.answers = 0;
        if waits && self.rng.chance(600) {
            // Else the kill would nearly always come before a hash is done.
            while self.promises.is_waiting() {
                self.turn(&mut swarm);
            }
            self.answers = 0;
            let after = self.rng.below(30);
            self.turn_until_answers(&mut swarm, after);
        } else {
            let after = self.rng.between(1, 600);
            self.turn_until_answers(&mut swarm, after);
        }
        server.kill();
        // What it had said is still heard.
        swarm.on_server_gone();
        while !swarm.is_empty() {
            self.hear(&mut swarm);
        }
        self.mail.cut();
        self.promises.cut();
    }

    /// The last life: all that was promised arrives.
    fn end(&mut self) {
        let server = Server::start(self.folder, &OPTIONS);
        let mut swarm = Swarm::new(server.addr);
        self.promises.check(&mut swarm, &mut self.rng);
        self.mail.begin_reading(&mut swarm);
        self.turn_until_settled(&mut swarm, 0);
        let kept = self.mail.ledger.kept;
        self.mail.begin_last(&mut swarm);
        self.turn_until_settled(&mut swarm, kept + 1);
        self.mail.ledger.assert_settled();
        server.kill();
        let Self { mail, promises, .. } = self;
        let Mail { ledger, returns, repeats, refused, .. } = mail;
        println!("{} kept, {} arrived, {refused} refused", ledger.kept, ledger.arrived);
        println!("{repeats} came again and were known, {returns} connections broken off");
        let [accounts, passwords, blocks] = promises.held;
        println!("acknowledged: {accounts} accounts, {passwords} passwords, {blocks} blocks");
        let [held, not] = promises.undecided;
        println!("asked and never answered: {held} done, {not} not");
        // A run in which nothing happens proves nothing.
        assert!(ledger.kept > 500 && *repeats > 0 && *returns > 0, "too little happened");
        assert!(accounts > 0 && passwords > 0 && blocks > 0, "too little happened");
    }

    fn turn_until_answers(&mut self, swarm: &mut Swarm, count: u64) {
        while (self.answers as u64) < count {
            self.turn(swarm);
        }
    }

    fn turn_until_settled(&mut self, swarm: &mut Swarm, kept: usize) {
        while !(self.mail.ledger.is_settled() && self.mail.is_answered(kept)) {
            self.turn(swarm);
        }
    }

    fn turn(&mut self, swarm: &mut Swarm) {
        self.hear(swarm);
        self.mail.on_turn(swarm, &mut self.rng);
    }

    fn hear(&mut self, swarm: &mut Swarm) {
        for (line, happened) in swarm.turn() {
            self.on_happened(swarm, line, happened);
        }
    }

    fn on_happened(&mut self, swarm: &mut Swarm, line: Line, happened: Happened) {
        let is_answer = self.promises.handle((swarm, &mut self.rng), line, &happened)
            || self.mail.handle((swarm, &mut self.rng), line, happened);
        self.answers += usize::from(is_answer);
    }
}
