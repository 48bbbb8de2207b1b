//! The workers that stand behind the reactor: each kind of job goes to its own.
//!
//! Refuses to know what a job is about. The rule it keeps: nobody here waits; a job that its worker
//! cannot take has failed at once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::Waker;

use crate::engine::Input;
use crate::files::{self, Disk};
use crate::id::Ticket;
use crate::job::{Job, Outcome};
use crate::passwords::Pool;
use crate::store::{self, Store, StoreReport};

/// What a worker has to tell.
pub(super) enum News {
    /// For the engine.
    Input(Input<'static>),
    /// For the log.
    Trouble(String),
}

/// All of them.
pub(super) struct Workers {
    files: files::FilesWorker,
    store: store::StoreWorker,
    passwords: Pool,
}

impl Workers {
    pub(super) fn start(disk: Disk, store: Box<dyn Store>, waker: &Arc<Waker>) -> io::Result<Self> {
        Ok(Self {
            files: files::FilesWorker::start(disk, Arc::clone(waker))?,
            store: store::StoreWorker::start(store, Arc::clone(waker))?,
            passwords: Pool::start(Arc::clone(waker))?,
        })
    }

    /// Hands over a job. Answers with its outcome when it cannot be done.
    pub(super) fn submit(&self, ticket: Ticket, job: Job) -> Option<(Ticket, Outcome)> {
        match job {
            Job::File(job) => wrap(self.files.submit(ticket, job), Outcome::File),
            Job::Store(job) => wrap(self.store.submit(ticket, job), Outcome::Store),
            Job::Password(job) => wrap(self.passwords.submit(ticket, job), Outcome::Password),
        }
    }

    /// What one of them has to tell, if there is anything.
    pub(super) fn poll(&self) -> Option<News> {
        match self.files.poll() {
            Some(files::FileReport::Done(ticket, outcome)) => {
                let outcome = Outcome::File(outcome);
                return Some(News::Input(Input::Done { ticket, outcome }));
            }
            Some(files::FileReport::Space(bytes)) => return Some(News::Input(Input::Space(bytes))),
            None => {}
        }
        if let Some((ticket, outcome)) = wrap(self.passwords.poll(), Outcome::Password) {
            return Some(News::Input(Input::Done { ticket, outcome }));
        }
        Some(match self.store.poll()? {
            StoreReport::Done(ticket, outcome) => {
                News::Input(Input::Done { ticket, outcome: Outcome::Store(outcome) })
            }
            StoreReport::Changed(directory) => News::Input(Input::Directory(directory)),
            StoreReport::Trouble(text) => News::Trouble(text),
        })
    }

    /// Lets them finish what they were given, each for `wait` at most: a disk that hangs does not
    /// keep the process.
    pub(super) fn stop(self, wait: Duration) {
        self.store.stop(wait);
        self.files.stop(wait);
        self.passwords.stop(Duration::ZERO);
    }
}

fn wrap<O>(done: Option<(Ticket, O)>, outcome: fn(O) -> Outcome) -> Option<(Ticket, Outcome)> {
    done.map(|(ticket, done)| (ticket, outcome(done)))
}
