//! I/O. Passwords to hashes and back to a yes or no, on threads of their own.
//!
//! Refuses to know whose a password is. The rules it keeps: no password and no hash is ever shown;
//! a hash that asks for more memory or time than we would give is not computed; and a name without
//! an account costs what one with an account costs.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::{Ident, Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::id::Ticket;
use crate::job::{PasswordJob, PasswordOutcome};
use crate::limits::{KIB, PASSWORD_WAITING, PASSWORD_WORKERS};
use crate::os;
use crate::worker::Worker;

/// Memory of one hash in KiB, with [`PASSES`] and one lane: the smallest that OWASP's cheat sheet
/// on password storage gives first.
const MEMORY_KIB: u32 = 19 * KIB as u32;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// The most that a hash which came from elsewhere may ask for.
const MEMORY_KIB_MAX: u32 = 64 * KIB as u32;
const PASSES_MAX: u32 = 10;
const LANES_MAX: u32 = 16;

/// What is compared with where there is no account: its cost is that of our own hashes.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The near end of the threads that hash.
#[derive(Debug)]
pub struct Pool(Worker<PasswordJob, (Ticket, PasswordOutcome)>);

impl Pool {
    /// Starts the threads; they wake the poller of `waker` after each outcome.
    ///
    /// # Errors
    /// Those of the system: no thread to be had.
    pub fn start(waker: Arc<mio::Waker>) -> io::Result<Self> {
        let hashers = [const { Hasher::new() }; PASSWORD_WORKERS];
        Worker::start("passwords", hashers, PASSWORD_WAITING, waker, |mut hasher, desk| {
            os::lower_thread_priority();
            while let Some((ticket, job)) = desk.next() {
                if !desk.report((ticket, hasher.run(&job))) {
                    return;
                }
                desk.wake();
            }
        })
        .map(Self)
    }

    /// Hands over a job without waiting. Answers with its outcome when it cannot be done.
    pub fn submit(&self, ticket: Ticket, job: PasswordJob) -> Option<(Ticket, PasswordOutcome)> {
        let failed = || PasswordOutcome::Failed("too many passwords wait to be hashed".to_owned());
        (!self.0.submit(ticket, job)).then(|| (ticket, failed()))
    }

    /// The outcome of a job, if one is there. Two threads: not in the order of the jobs.
    pub fn poll(&self) -> Option<(Ticket, PasswordOutcome)> {
        self.0.poll()
    }

    /// Lets the threads finish what they were given, for `wait` at most.
    pub fn stop(self, wait: Duration) {
        self.0.stop(wait);
    }
}

/// Who hashes, with memory that is used again.
#[derive(Default)]
pub struct Hasher {
    /// Empty until the first job, then as large as one hash of ours needs.
    memory: Vec<Block>,
}

impl Hasher {
    /// Without memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { memory: Vec::new() }
    }

    /// Does one job.
    pub fn run(&mut self, job: &PasswordJob) -> PasswordOutcome {
        let done = match job {
            PasswordJob::Hash { password } => self.hash(password).map(PasswordOutcome::Hash),
            // Nothing belongs to an empty hash: that of an account which was damaged on the disk.
            PasswordJob::Verify { password, hash: Some(hash) } if !hash.is_empty() => self
                .verify(password, hash)
                .map(|right| if right { PasswordOutcome::Right } else { PasswordOutcome::Wrong }),
            PasswordJob::Verify { password, .. } => {
                self.verify(password, NOBODY).map(|_| PasswordOutcome::Wrong)
            }
        };
        done.unwrap_or_else(PasswordOutcome::Failed)
    }

    /// The PHC string of a new hash with a salt of its own.
    fn hash(&mut self, password: &str) -> Result<String, String> {
        let mut salt = [0; 16];
        os::random(&mut salt).map_err(|error| format!("no random salt: {error}"))?;
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(told)?;
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        let kind = (Algorithm::Argon2id, Version::V0x13);
        self.compute(kind, &params, password, &salt, &mut output)?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(told)?,
            salt: Some(Salt::new(&salt).map_err(told)?),
            hash: Some(Output::new(&output).map_err(told)?),
        };
        Ok(hash.to_string())
    }

    /// Whether the password belongs to the PHC string.
    fn verify(&mut self, password: &str, hash: &str) -> Result<bool, String> {
        let hash = PasswordHash::new(hash).map_err(told)?;
        let params = Params::try_from(&hash).map_err(told)?;
        let asked = (params.m_cost(), params.t_cost(), params.p_cost());
        if asked.0 > MEMORY_KIB_MAX || asked.1 > PASSES_MAX || asked.2 > LANES_MAX {
            return Err(format!(
                "a hash asks for too much: m={}, t={}, p={}",
                asked.0, asked.1, asked.2
            ));
        }
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
            return Err("a hash without its salt or its output".to_owned());
        };
        let algorithm = algorithm(&hash.algorithm)?;
        let version = hash.version.map_or(Ok(Version::V0x10), Version::try_from).map_err(told)?;
        let mut output = [0; Output::MAX_LENGTH];
        let output = &mut output[..expected.len()];
        self.compute((algorithm, version), &params, password, salt, output)?;
        // Compares in constant time.
        Ok(Output::new(output).map_err(told)? == *expected)
    }

    fn compute(
        &mut self,
        (algorithm, version): (Algorithm, Version),
        params: &Params,
        password: &str,
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), String> {
        let blocks = params.block_count();
        let argon2 = Argon2::new(algorithm, version, params.clone());
        let usual = MEMORY_KIB as usize;
        if blocks > usual {
            // Rare, and given back.
            let mut memory = vec![Block::new(); blocks];
            let computed = argon2.hash_password_into_with_memory(
                password.as_bytes(),
                salt,
                output,
                &mut memory[..],
            );
            return computed.map_err(told);
        }
        self.memory.resize(usual, Block::new());
        argon2
            .hash_password_into_with_memory(password.as_bytes(), salt, output, &mut self.memory[..])
            .map_err(told)
    }
}

fn algorithm(name: &Ident) -> Result<Algorithm, String> {
    Algorithm::try_from(name.as_str()).map_err(|_| format!("cannot compute the hash {name}"))
}

fn told(error: impl std::fmt::Display) -> String {
    format!("cannot hash: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::PasswordHasher as _;

    fn hash(password: &str) -> String {
        match Hasher::new().run(&PasswordJob::Hash { password: password.into() }) {
            PasswordOutcome::Hash(hash) => hash,
            other => panic!("{other:?}"),
        }
    }

    fn verify(password: &str, hash: Option<&str>) -> PasswordOutcome {
        let (password, hash) = (password.to_owned(), hash.map(str::to_owned));
        Hasher::new().run(&PasswordJob::Verify { password, hash })
    }

    #[test]
    fn a_password_belongs_to_its_own_hash_alone() {
        let hash = hash("open sesame");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(verify("open sesame", Some(&hash)), PasswordOutcome::Right);
        assert_eq!(verify("open sesamE", Some(&hash)), PasswordOutcome::Wrong);
        assert_eq!(verify("", Some(&hash)), PasswordOutcome::Wrong);
    }

    #[test]
    fn two_hashes_of_one_password_are_not_alike() {
        assert_ne!(hash("sesame"), hash("sesame"));
    }

    #[test]
    fn nobodys_hash_costs_what_everybodys_costs_and_nothing_belongs_to_it() {
        let ours = PasswordHash::new(&hash("sesame")).unwrap();
        let nobody = PasswordHash::new(NOBODY).unwrap();
        assert_eq!(nobody.params, ours.params);
        assert_eq!((nobody.algorithm, nobody.version), (ours.algorithm, ours.version));
        let lengths = |hash: &PasswordHash| {
            (hash.salt.as_ref().unwrap().len(), hash.hash.as_ref().unwrap().len())
        };
        assert_eq!(lengths(&nobody), lengths(&ours));
        for password in ["", "sesame"] {
            assert_eq!(verify(password, None), PasswordOutcome::Wrong);
            assert_eq!(verify(password, Some("")), PasswordOutcome::Wrong, "a damaged account");
        }
    }

    #[test]
    fn row_45_a_name_without_a_hash_is_given_a_whole_hash_of_work() {
        let ours = hash("sesame");
        let filled = |hash: Option<String>| {
            let mut hasher = Hasher::new();
            let job = PasswordJob::Verify { password: "simsim".into(), hash };
            assert_eq!(hasher.run(&job), PasswordOutcome::Wrong);
            // Argon2 leaves no block of its memory as it was.
            hasher.memory.iter().filter(|block| block.as_ref().iter().any(|&n| n != 0)).count()
        };
        assert_eq!(filled(None), filled(Some(ours)));
        assert_eq!(filled(None), MEMORY_KIB as usize);
    }

    #[test]
    fn hashes_from_elsewhere_are_verified_with_their_own_parameters() {
        // From the README of the reference implementation.
        let readme = "$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG";
        assert_eq!(verify("password", Some(readme)), PasswordOutcome::Right);
        assert_eq!(verify("passwort", Some(readme)), PasswordOutcome::Wrong);
        for (algorithm, memory, passes, lanes, bytes) in [
            (Algorithm::Argon2id, 64 * 1024, 1, 4, 32),
            (Algorithm::Argon2i, 1024, 3, 1, 16),
            (Algorithm::Argon2d, 8, 1, 1, 64),
        ] {
            let params = Params::new(memory, passes, lanes, Some(bytes)).unwrap();
            let argon2 = Argon2::new(algorithm, Version::V0x13, params);
            let hash = argon2.hash_password_with_salt(b"sesame", b"salt and pepper").unwrap();
            let hash = hash.to_string();
            assert_eq!(verify("sesame", Some(&hash)), PasswordOutcome::Right, "{hash}");
            assert_eq!(verify("simsim", Some(&hash)), PasswordOutcome::Wrong, "{hash}");
        }
    }

    #[test]
    fn memory_is_used_again_and_leaves_no_trace_in_the_next_hash() {
        let mut hasher = Hasher::new();
        let hash = hash("sesame");
        let right = PasswordJob::Verify { password: "sesame".into(), hash: Some(hash) };
        assert_eq!(hasher.run(&right), PasswordOutcome::Right);
        let (memory, blocks) = (hasher.memory.as_ptr(), hasher.memory.capacity());
        for _ in 0..2 {
            hasher.run(&PasswordJob::Hash { password: "other".into() });
            assert_eq!(hasher.run(&right), PasswordOutcome::Right);
        }
        assert_eq!((hasher.memory.as_ptr(), hasher.memory.capacity()), (memory, blocks));
        assert_eq!(blocks, MEMORY_KIB as usize);
    }

    #[test]
    fn a_hash_that_asks_for_too_much_or_is_none_fails_without_being_computed() {
        let tail = "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for head in [
            "$argon2id$v=19$m=65537,t=2,p=1",
            "$argon2id$v=19$m=4294967295,t=2,p=1",
            "$argon2id$v=19$m=19456,t=11,p=1",
            "$argon2id$v=19$m=19456,t=4294967295,p=1",
            "$argon2id$v=19$m=19456,t=2,p=17",
            "$argon2id$v=17$m=19456,t=2,p=1",
            "$scrypt$ln=16,r=8,p=1",
        ] {
            let hash = format!("{head}{tail}");
            assert!(matches!(verify("x", Some(&hash)), PasswordOutcome::Failed(_)), "{hash}");
        }
        let cut = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA";
        for none in ["sesame", "$", cut] {
            assert!(matches!(verify("x", Some(none)), PasswordOutcome::Failed(_)), "{none}");
        }
    }

    #[test]
    fn the_pool_answers_each_job_once_and_refuses_what_cannot_wait() {
        let mut poll = mio::Poll::new().unwrap();
        let waker = Arc::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap());
        let pool = Pool::start(waker).unwrap();
        let job = PasswordJob::Verify { password: "x".into(), hash: Some("none".into()) };
        let mut answered = Vec::new();
        for ticket in 0..200 {
            answered.extend(pool.submit(Ticket(ticket), job.clone()));
        }
        while answered.len() < 200 {
            answered.push(crate::worker::wait_for(&mut poll, || pool.poll()));
        }
        let mut tickets: Vec<u64> = answered.iter().map(|(ticket, _)| ticket.0).collect();
        tickets.sort_unstable();
        assert!(tickets.into_iter().eq(0..200));
        assert_eq!(pool.poll(), None);
        pool.stop(Duration::from_secs(30));
    }
}
