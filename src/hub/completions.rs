//! A worker has finished: the user who waited for it continues.
//!
//! The rule it keeps: each entry of what waits ends with its job, whatever has become of the one
//! who asked.

use super::people::State;
use super::{Hub, Waiting};
use crate::id::{Now, Ticket};
use crate::job::{Outcome, PasswordOutcome, StoreOutcome};

impl Hub {
    /// A worker has finished.
    pub(crate) fn handle_done(&mut self, now: Now, ticket: Ticket, outcome: Outcome) {
        let Some(waiting) = self.out.take_waiting(ticket) else { return };
        match outcome {
            Outcome::Store(outcome) => self.on_store_done(now, waiting, outcome),
            Outcome::Password(outcome) => self.on_password_done(now, waiting, outcome),
            Outcome::File(outcome) => debug_assert!(false, "{waiting:?} waited for no {outcome:?}"),
        }
    }

    fn on_password_done(&mut self, now: Now, waiting: Waiting, outcome: PasswordOutcome) {
        match waiting {
            Waiting::Login { request, account, name, from } => {
                let asked = (request, account, name, from);
                let shown = self.entrance().on_login_decided(now, asked, outcome);
                self.let_in_late(now, request, shown);
            }
            Waiting::Register { request, name, from } => {
                self.entrance().on_register_hashed((request, name, from), outcome);
            }
            Waiting::OldPassword { request, account, name, from, new, hash } => {
                let asked = (request, account, name, from);
                self.entrance().on_old_password_decided(now, asked, (new, hash), outcome);
            }
            Waiting::NewPassword { request, account, from } => {
                self.entrance().on_new_password_hashed((request, account, from), outcome);
            }
            other @ (Waiting::Create { .. }
            | Waiting::SetHash { .. }
            | Waiting::Logout { .. }
            | Waiting::Void { .. }
            | Waiting::Block { .. }
            | Waiting::Keep { .. }
            | Waiting::Letters { .. }
            | Waiting::Arrived
            | Waiting::AddFile { .. }
            | Waiting::RemoveFile { .. }) => {
                debug_assert!(false, "{other:?} waited for no password")
            }
        }
    }

    fn on_store_done(&mut self, now: Now, waiting: Waiting, outcome: StoreOutcome) {
        self.out.note_store(&outcome);
        match waiting {
            Waiting::Create { request, name } => {
                let made = self.entrance().on_created(request, name, outcome);
                self.let_in_registered(now, request, made);
            }
            Waiting::SetHash { request, account, hash } => {
                self.entrance().on_hash_set(now, (request, account, hash), &outcome);
                if outcome == StoreOutcome::Done {
                    self.on_password_changed(now, request.conn, account);
                }
            }
            Waiting::Logout { request, account, all } => {
                self.on_revoked(now, (request, account), all, &outcome);
            }
            Waiting::Void { request, conn, of, all } => {
                self.on_voided(now, (request, conn), (of, all), &outcome);
            }
            Waiting::Block { request, owner, user, blocks } => {
                self.people.on_block_set(&mut self.out, (request, owner, user), blocks, &outcome);
            }
            Waiting::Keep { request, draft } => self.post().on_kept(request, draft, &outcome),
            Waiting::Letters { conn, serial } => {
                self.post().on_letters(now, (conn, serial), outcome)
            }
            Waiting::Arrived => {
                // They will be told again, and known again by their numbers.
                if outcome != StoreOutcome::Done {
                    self.out.store_refusal(&outcome);
                }
            }
            Waiting::AddFile { file } => self.files().on_file_added(now, *file, &outcome),
            Waiting::RemoveFile { request, transfer, receipt } => {
                self.files().on_file_removed(request, transfer, receipt, &outcome);
            }
            other @ (Waiting::Login { .. }
            | Waiting::Register { .. }
            | Waiting::OldPassword { .. }
            | Waiting::NewPassword { .. }) => {
                debug_assert!(false, "{other:?} waited for no store")
            }
        }
    }

    /// Checks that the user who is between two states has something to wait for.
    pub(super) fn check_waiting(&self) {
        self.entrance.check_invariants(&self.people, &self.out);
        for session in self.people.sessions() {
            if let State::Entering { name } = session.state {
                let asks = |waiting: &Waiting| {
                    waiting.request().is_some_and(|request| request.conn == session.conn)
                };
                let contends = self.entrance.contender(name.key()) == Some(session.conn);
                assert!(
                    contends || self.out.waiting().any(asks),
                    "{:?} waits for nothing",
                    session.conn
                );
            }
        }
    }
}
