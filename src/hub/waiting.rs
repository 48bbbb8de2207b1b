//! Requests that wait for a worker: what is known when it has finished.
//!
//! The rules it keeps: each job has one entry here under its ticket, and each entry ends with its
//! job, whatever has become of the one who asked; what waits is bounded, so that what the workers
//! are given always finds room.

use super::letters::Draft;
use super::{Effect, Hub, Request, State, UserKey};
use crate::facts::{ServerFact, TroubleFact};
use crate::id::{AccountId, ConnId, Now, Source, Ticket, TransferId};
use crate::job::{
    Account, Job, Outcome, PasswordJob, PasswordOutcome, StoreJob, StoreOutcome, StoredFile,
};
use crate::limits::STORE_JOBS_MAX;
use crate::message::{Refusal, Reply, UserName};

/// What a request comes to: a reply, a refusal, or nothing yet.
pub(super) type Answer = Result<Option<Reply>, Refusal>;

/// What goes on when a worker has finished.
#[derive(Clone, Debug)]
pub(super) enum Waiting {
    /// A password is compared for a login, with that of `account` as it was then.
    Login { request: Request, account: Option<Account>, name: UserName, from: Source },
    /// The password of a new account is hashed.
    Register { request: Request, name: UserName, from: Source },
    /// A new account is stored.
    Create { request: Request, name: UserName },
    /// The present password is compared before it is changed.
    OldPassword {
        request: Request,
        account: AccountId,
        name: UserName,
        from: Source,
        new: String,
        /// The hash that it is compared with.
        hash: String,
    },
    /// The new password is hashed.
    NewPassword { request: Request, account: AccountId, from: Source },
    /// The new hash is stored.
    SetHash { request: Request, account: AccountId, hash: String },
    /// Tokens are voided for a logout.
    Logout { request: Request, account: AccountId },
    /// A block is stored or removed.
    Block { request: Request, owner: UserKey, user: UserName, blocks: bool },
    /// A letter is kept.
    Keep { request: Request, draft: Draft },
    /// Letters are read.
    Letters { conn: ConnId, serial: u64 },
    /// Letters are forgotten.
    Arrived,
    /// A file is taken down.
    AddFile { file: Box<StoredFile> },
    /// A file is forgotten, because somebody asked for that or because its time is over; its sender
    /// is told who has taken or refused it.
    RemoveFile { request: Option<Request>, transfer: TransferId, receipt: Option<Receipt> },
}

/// Who has decided about a file that was handed to him, and whether he took it.
pub(super) type Receipt = (UserName, bool);

impl Hub {
    /// The answer to the request at hand comes later; nothing else of its connection before it.
    pub(super) fn wait(&mut self, request: Request) -> Answer {
        self.effects.push_back(Effect::Wait { conn: request.conn, alone: true });
        Ok(None)
    }

    pub(super) fn ask_password(&mut self, waiting: Waiting, job: PasswordJob) -> Answer {
        if let Some(request) = waiting.request() {
            self.effects.push_back(Effect::Wait { conn: request.conn, alone: true });
        }
        self.submit_password(waiting, job);
        Ok(None)
    }

    /// Letters may follow one another; whatever else waits for the store waits alone.
    pub(super) fn ask_store(&mut self, waiting: Waiting, job: StoreJob) -> Answer {
        if self.waiting.len() >= STORE_JOBS_MAX / 2 {
            return Err(Refusal::Busy { wait_ms: 1000 });
        }
        if let Some(request) = waiting.request() {
            let alone = !matches!(waiting, Waiting::Keep { .. });
            self.effects.push_back(Effect::Wait { conn: request.conn, alone });
        }
        self.submit_store(waiting, job);
        Ok(None)
    }

    pub(super) fn submit_password(&mut self, waiting: Waiting, job: PasswordJob) {
        self.submit(waiting, Job::Password(job));
    }

    pub(super) fn submit_store(&mut self, waiting: Waiting, job: StoreJob) {
        self.submit(waiting, Job::Store(job));
    }

    /// A ticket for a job of whomever: two jobs never have the same one.
    pub(crate) fn next_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    fn submit(&mut self, waiting: Waiting, job: Job) {
        let ticket = self.next_ticket();
        self.waiting.insert(ticket, waiting);
        self.effects.push_back(Effect::Job { ticket, job });
    }

    /// A worker has finished.
    pub fn handle_done(&mut self, now: Now, ticket: Ticket, outcome: Outcome) {
        let Some(waiting) = self.waiting.remove(&ticket) else {
            // It was told once before, or it is nobody's.
            debug_assert!(ticket.0 <= self.last_ticket, "{ticket:?} was never given");
            return;
        };
        match outcome {
            Outcome::Store(outcome) => self.on_store_done(now, waiting, outcome),
            Outcome::Password(outcome) => self.on_password_done(now, waiting, outcome),
            Outcome::File(outcome) => debug_assert!(false, "{waiting:?} waited for no {outcome:?}"),
        }
    }

    fn on_password_done(&mut self, now: Now, waiting: Waiting, outcome: PasswordOutcome) {
        match waiting {
            Waiting::Login { request, account, name, from } => {
                self.on_login_decided(now, (request, account, name, from), outcome);
            }
            Waiting::Register { request, name, from } => {
                self.on_register_hashed((request, name, from), outcome);
            }
            Waiting::OldPassword { request, account, name, from, new, hash } => {
                let asked = (request, account, name, from);
                self.on_old_password_decided(now, asked, (new, hash), outcome);
            }
            Waiting::NewPassword { request, account, from } => {
                self.on_new_password_hashed((request, account, from), outcome);
            }
            other => debug_assert!(false, "{other:?} waited for no password"),
        }
    }

    fn on_store_done(&mut self, now: Now, waiting: Waiting, outcome: StoreOutcome) {
        if !matches!(outcome, StoreOutcome::Failed(_)) && std::mem::take(&mut self.store_trouble) {
            self.note(ServerFact::StoreWorks);
        }
        match waiting {
            Waiting::Create { request, name } => self.on_created(now, request, name, outcome),
            Waiting::SetHash { request, account, hash } => {
                self.on_hash_set(now, (request, account, hash), &outcome);
            }
            Waiting::Logout { request, account } => {
                self.on_revoked(now, request, account, &outcome);
            }
            Waiting::Block { request, owner, user, blocks } => {
                self.on_block_set((request, owner, user), blocks, &outcome);
            }
            Waiting::Keep { request, draft } => self.on_kept(request, draft, &outcome),
            Waiting::Letters { conn, serial } => self.on_letters(now, (conn, serial), outcome),
            Waiting::Arrived => {
                // They will be told again, and known again by their numbers.
                if outcome != StoreOutcome::Done {
                    self.store_refusal(&outcome);
                }
            }
            Waiting::AddFile { file } => self.on_file_added(now, *file, &outcome),
            Waiting::RemoveFile { request, transfer, receipt } => {
                self.on_file_removed(request, transfer, receipt, &outcome);
            }
            other => debug_assert!(false, "{other:?} waited for no store"),
        }
    }

    /// What a client is told when the store would not; the log is told why, once for each trouble.
    pub(super) fn store_refusal(&mut self, outcome: &StoreOutcome) -> Refusal {
        if let StoreOutcome::Failed(why) = outcome
            && !std::mem::replace(&mut self.store_trouble, true)
        {
            self.note(TroubleFact::StoreFails { why: why.clone() });
        }
        match outcome {
            StoreOutcome::NoAccount => Refusal::NoAccount,
            _ => Refusal::StoreFailed,
        }
    }

    /// Does what a request that had to wait asks for, and answers it before whatever that causes;
    /// not yet, if it has to wait once more.
    pub(super) fn answer_first(&mut self, request: Request, act: impl FnOnce(&mut Self) -> Answer) {
        let at = self.effects.len();
        if let Some(answer) = act(self).transpose() {
            self.effects.insert(at, Effect::Answer { request, answer, late: true });
        }
    }

    /// Answers a request that had to wait.
    pub(super) fn answer_late(&mut self, request: Request, answer: Result<Reply, Refusal>) {
        self.effects.push_back(Effect::Answer { request, answer, late: true });
    }

    /// Checks that whoever is between two states has something to wait for.
    pub(super) fn check_waiting(&self) {
        let mut passwords = 0;
        for waiting in self.waiting.values() {
            passwords += usize::from(matches!(
                waiting,
                Waiting::Login { .. }
                    | Waiting::Register { .. }
                    | Waiting::OldPassword { .. }
                    | Waiting::NewPassword { .. }
            ));
            if let Waiting::Register { name, .. } | Waiting::Create { name, .. } = waiting {
                assert!(self.is_registering(name.key()), "{name} is registered by nobody");
            }
        }
        assert_eq!(passwords, self.guard.open(), "passwords under way are miscounted");
        for session in self.sessions.iter().flatten() {
            if let State::Entering { name } = session.state {
                let asks = |waiting: &Waiting| {
                    waiting.request().is_some_and(|request| request.conn == session.conn)
                };
                let contest = self.contests.get(&name.key());
                let contends = contest.is_some_and(|c| c.newcomer.request.conn == session.conn);
                assert!(
                    contends || self.waiting.values().any(asks),
                    "{:?} waits for nothing",
                    session.conn
                );
            }
        }
        for (key, contest) in &self.contests {
            assert_eq!(self.users.get(key), Some(&contest.owner), "a contest without an owner");
        }
    }
}

impl Waiting {
    /// Which request it is that waits.
    fn request(&self) -> Option<Request> {
        match self {
            Self::Login { request, .. }
            | Self::Register { request, .. }
            | Self::Create { request, .. }
            | Self::OldPassword { request, .. }
            | Self::NewPassword { request, .. }
            | Self::SetHash { request, .. }
            | Self::Logout { request, .. }
            | Self::Block { request, .. }
            | Self::Keep { request, .. } => Some(*request),
            Self::RemoveFile { request, .. } => *request,
            Self::Letters { .. } | Self::Arrived | Self::AddFile { .. } => None,
        }
    }
}
