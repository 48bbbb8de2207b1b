//! The workers' side of the world, its power, and what is looked at whenever time has passed.

use parlor::engine::Input;
use parlor::facts::{ConnFact, Fact};
use parlor::id::{ConnId, Ticket, millis};
use parlor::job::{FileOutcome, Job, Outcome};
use parlor::limits::TAKEOVER_WAIT;
use parlor::message::{CloseReason, Op};

use super::store::Told;
use super::world::{World, start};

/// Deadlines are kept to two ticks of the wheel, and some.
const TICKS_MS: u64 = 400;

/// A longer time without a turn is a process that was stopped, and one is not to blame for it.
const GAP_MS: u64 = 100;

impl World {
    /// Workers take a job.
    pub(super) fn submit(&mut self, ticket: Ticket, job: Job) {
        let now_ms = self.now.mono_ms;
        match job {
            Job::File(job) => {
                if let Some(told) = self.store.submit(self.now, &mut self.rng, ticket, job) {
                    self.tell_file_done(told);
                }
            }
            Job::Store(job) => self.ledger.submit(ticket, job),
            Job::Password(job) => {
                self.ledger.submit_password(now_ms, &mut self.rng, ticket, job);
            }
        }
    }

    /// The store and the workers of passwords continue, and the engine is told how far they are.
    pub(super) fn tell_done(&mut self) {
        let (now_ms, at) = (self.now.mono_ms, self.oracle.vault.tick());
        let (post, shelf) = (&mut self.oracle.post, &mut self.oracle.shelf);
        self.ledger.work(now_ms, &mut self.rng, |job, outcome| {
            post.synced(at, job, outcome);
            shelf.synced(job, outcome);
        });
        while let Some(told) = self.ledger.poll(now_ms) {
            self.oracle.vault.note_job(&told.job, &told.outcome);
            self.oracle.note_file_told(&told.job, &told.outcome);
            let (ticket, outcome) = (told.ticket, Outcome::Store(told.outcome));
            self.feed(Input::Done { ticket, outcome });
        }
        while let Some((ticket, outcome)) = self.ledger.poll_password(now_ms, &mut self.rng) {
            self.feed(Input::Done { ticket, outcome: Outcome::Password(outcome) });
        }
    }

    /// The disk continues, and the engine is told how far it is.
    pub(super) fn tell_files_done(&mut self) {
        while let Some(told) = self.store.poll(self.now, &mut self.rng) {
            self.tell_file_done(told);
        }
        for blob in self.oracle.shelf.needed() {
            assert!(self.store.whole.contains_key(&blob), "{blob} is needed and gone");
        }
    }

    fn tell_file_done(&mut self, told: Told) {
        let Told { ticket, upload, outcome } = told;
        if let (Some(transfer), FileOutcome::Finished { hash, .. }) = (upload, &outcome) {
            self.oracle.shelf.whole(transfer, *hash, &self.store.whole[hash]);
        }
        self.oracle.line.current = upload;
        self.feed(Input::Done { ticket, outcome: Outcome::File(outcome) });
    }

    /// The power goes, between any two things, and comes back: what was not synced is lost, every
    /// connection too, and another server starts from what is there.
    pub(crate) fn cut_power(&mut self) {
        let at = self.oracle.vault.tick();
        let (post, shelf) = (&mut self.oracle.post, &mut self.oracle.shelf);
        self.ledger.cut(&mut self.rng, |job, outcome| {
            post.synced(at, job, outcome);
            shelf.synced(job, outcome);
        });
        post.note_cut(at);
        for index in 0..self.clients.len() {
            if self.clients[index].conn.is_some() && !self.is_over(index) {
                self.break_link(index);
                self.links[index].closed = true;
            }
        }
        for (slot, socket) in self.sockets.iter_mut().enumerate() {
            if socket.take().is_some() {
                self.free.push(u32::try_from(slot).expect("slots are few"));
            }
        }
        self.events.clear();
        self.ready.clear();
        self.jobs.clear();
        self.to_close.clear();
        self.closed_ids.clear();
        self.cuts += 1;
        self.restart();
    }

    /// Another server starts from what is durable.
    pub(crate) fn restart(&mut self) {
        let (directory, catalogue) = (self.ledger.directory(), self.ledger.files());
        self.oracle.restart(&directory, &catalogue.files);
        let needed = self.oracle.shelf.needed();
        self.store.cut(self.now, &mut self.rng, &needed);
        for blob in needed {
            assert!(self.store.whole.contains_key(&blob), "{blob} has a record and is gone");
        }
        self.engine = start(&self.limits, directory, catalogue, self.store.halves());
        if self.tracing {
            eprintln!("{:>7} another server starts", self.now.mono_ms);
        }
    }

    /// Nothing that is on its way to or from a client arrives any more.
    pub(super) fn break_link(&mut self, index: usize) {
        let (client, link) = (&mut self.clients[index], &mut self.links[index]);
        client.finished = true;
        link.reset = true;
        link.up.clear();
        let mut lost = client.unread();
        lost.extend(link.down.drain(..));
        if !client.native {
            self.oracle.post.lost(&lost);
        }
    }

    /// Whoever had to be gone by now is, and whoever had to wait has waited.
    pub(super) fn check_deadlines(&mut self) {
        let now_ms = self.now.mono_ms;
        let gap_ms = now_ms - std::mem::replace(&mut self.turned_ms, now_ms);
        for (newcomer, owner) in std::mem::take(&mut self.oracle.takeovers) {
            self.check_takeover(&newcomer, &owner);
        }
        let limits = &self.limits;
        for (slot, socket) in self.sockets.iter_mut().enumerate() {
            let Some(socket) = socket else { continue };
            if gap_ms > GAP_MS {
                socket.gap_ms += gap_ms;
            }
            let slot = u32::try_from(slot).expect("slots are few");
            let conn = ConnId { slot, generation: socket.generation };
            let Some(open) = self.oracle.open.get(&format!("{conn:?}")) else { continue };
            let client = &self.clients[socket.client];
            if socket.paused {
                socket.real_ms = now_ms;
            }
            let is_known = self.links[socket.client].taken > 0;
            if client.native && socket.heard_ms > 0 && is_known {
                let until_ms = socket.heard_ms + millis(limits.dead_after) + socket.gap_ms;
                assert!(now_ms <= until_ms + TICKS_MS, "{conn:?} is dead and here");
            }
            if let Some(since_ms) = open.nameless_ms {
                // A login that was asked for is answered first, however long that takes.
                let asked = client.awaits(Op::Login) || client.awaits(Op::Register);
                if asked {
                    socket.entering_ms = now_ms;
                }
                let until_ms = (since_ms + millis(limits.login_before)).max(socket.entering_ms);
                assert!(now_ms <= until_ms + TICKS_MS, "{conn:?} has no name and is here");
            } else if !limits.timeout.is_zero() {
                let since_ms = socket.real_ms.max(open.named_ms);
                let until_ms = since_ms + millis(limits.timeout) + TICKS_MS;
                assert!(now_ms <= until_ms, "{conn:?} asks for nothing and is logged in");
            }
        }
    }

    /// Reads once those who are about to be judged by what they have not sent.
    pub(super) fn read_late(&mut self) {
        self.unread.clear();
        for slot in 0..self.sockets.len() {
            if let Some(socket) = self.sockets[slot].as_ref().filter(|socket| socket.paused) {
                let slot = u32::try_from(slot).expect("slots are few");
                self.unread.insert(ConnId { slot, generation: socket.generation });
            }
        }
        for id in self.engine.late_senders(self.now) {
            self.read_once(id, usize::MAX);
        }
    }

    /// Nobody is disconnected for a silence while what they sent lies here unread.
    pub(super) fn check_unread(&mut self, fact: &Fact) {
        let Fact::Conn(ConnFact::Disconnected { conn, reason, .. }) = fact else { return };
        if !matches!(reason, CloseReason::Silent | CloseReason::FirstByteLate) {
            return;
        }
        let client = self.socket(*conn).expect("it is open").client;
        let unread = self.links[client].up.len();
        let may_be = unread == 0 || self.unread.contains(conn);
        assert!(may_be, "{conn:?} ends as {reason:?}, and {unread} bytes of it were not read");
    }

    /// Only a token takes a name from somebody who gives a sign of life.
    fn check_takeover(&mut self, newcomer: &str, owner: &str) {
        let find = |label: &str| self.clients.iter().position(|client| client.label() == label);
        let (newcomer, owner) = (find(newcomer).expect("a client"), find(owner).expect("a client"));
        if self.clients[newcomer].shows_token() {
            return;
        }
        let link = &self.links[owner];
        let was_read = self.clients[owner].conn.is_none_or(|conn| !self.unread.contains(&conn));
        assert!(link.up.is_empty() || !was_read, "a name is taken from somebody who was not read");
        let silent_ms = self.now.mono_ms - link.heard_ms;
        assert!(silent_ms >= millis(TAKEOVER_WAIT), "a name is taken from the living");
    }
}
