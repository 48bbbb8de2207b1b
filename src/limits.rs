//! Every bound in the house, named, with its reason.
//!
//! Knows nothing else. The rule it keeps: nothing in Parlor grows without a number from this file,
//! and the numbers fit each other (the `const` assertions at the end, and [`Limits::check`]).

use std::time::Duration;

/// Bytes in a kibibyte.
pub(crate) const KIB: u64 = 1024;
/// Bytes in a mebibyte.
pub const MIB: u64 = 1024 * KIB;
/// Bytes in a gibibyte.
pub(crate) const GIB: u64 = 1024 * MIB;

/// Longest user name in bytes (system A).
pub(crate) const USER_NAME_MAX: usize = 16;
/// Longest room name in bytes (system A).
pub(crate) const ROOM_NAME_MAX: usize = 32;
/// Longest file name in bytes: what common file systems hold.
pub(crate) const FILE_NAME_MAX: usize = 255;

/// Longest frame (or line) in bytes once logged in, kind byte and body together.
pub const FRAME_MAX: usize = 64 * 1024;
/// Longest frame (or line) before login: enough to greet and give a name, nothing to hoard.
pub(crate) const FRAME_BEFORE_LOGIN_MAX: usize = 1024;
/// A first byte of zero means a native frame, so no length may ever need the topmost byte.
pub(crate) const FRAME_LENGTH_CEILING: u32 = 1 << 24;
/// Longest chunk of a file in a frame. Leaves room for the frame's own kind and transfer, and in
/// base64 (4/3) plus its command word it still fits a text line.
pub const CHUNK_MAX: usize = 32 * 1024;
/// Malformed frames of length zero that a connection may send before it is closed.
pub(crate) const EMPTY_FRAMES_MAX: u8 = 3;

/// Bytes read from one connection in one turn; also the size of the one shared scratch buffer.
pub(crate) const READ_TURN_BYTES: usize = 64 * 1024;
/// Bytes written to one connection in one turn: about 0.1 ms. A room of ten with four messages of
/// 4 KiB from each under way makes 150 KiB for each, and one call for them is cheaper than three.
pub(crate) const WRITE_TURN_BYTES: usize = 256 * 1024;
/// Buffers handed to one vectored write. The kernel takes 1,024 (`IOV_MAX`); beyond some dozens
/// the call gains nothing.
pub const WRITE_BATCH: usize = 64;
/// Output of one connection that is put together before it is written. Up to here a copy of dozens
/// of small frames costs less than what the kernel takes for a list of them: in rooms of ten who
/// say 64 bytes 9 % of the server's time.
pub const WRITE_JOIN_BYTES: usize = 16 * 1024;
/// Connections accepted in one turn.
pub(crate) const ACCEPTS_TURN: usize = 16;
/// Commands of one connection handled in one turn.
pub(crate) const COMMANDS_TURN: u32 = 256;
/// Work of all connections together in one turn: a command counts `WORK_PER_COMMAND`, each
/// message put into an outbox counts one. At about 100 ns per unit this is a fifth of a turn.
pub const WORK_TURN: u32 = 16 * 1024;
/// What one connection may use of [`WORK_TURN`] before the others' turn comes, and what is left in
/// any case for those who are read.
pub(crate) const WORK_SHARE: u32 = WORK_TURN / 4;
/// What handling one command counts against [`WORK_TURN`].
pub(crate) const WORK_PER_COMMAND: u32 = 8;
/// Bytes of an answer that count as one unit of [`WORK_TURN`]: a list of hundreds of names takes as
/// long to gather and to write as hundreds of short commands.
pub const ANSWER_BYTES_PER_WORK: usize = 16;
/// How long the reading half of a turn may last before the rest waits for the next turn.
pub(crate) const TURN_READ: Duration = Duration::from_millis(3);
/// How long a turn may have lasted when the last write of it is begun.
pub(crate) const TURN_FLUSH: Duration = Duration::from_millis(6);

/// Sockets closed in one turn: to close one costs the kernel several microseconds.
pub(crate) const CLOSES_TURN: usize = 256;

/// Descriptors kept for files, the log, the poller and the like when connections are counted.
pub(crate) const DESCRIPTORS_KEPT: u64 = 64;
/// How long the listener rests after the process ran out of descriptors or memory.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Passwords of one source that may wait: nobody fills the line alone.
pub const PASSWORD_WAITING_SOURCE: u32 = 16;
/// Wrong passwords in a row after which a source may not try a name for a while (system D).
pub(crate) const WRONG_MAX: u32 = 3;
/// What each wrong password adds to the penalty of its source, whatever the name (as sshd's
/// `PerSourcePenalties authfail`).
pub(crate) const PENALTY: Duration = Duration::from_secs(5);
/// What each new account adds: a class that registers behind one address is let in.
pub(crate) const PENALTY_ACCOUNT: Duration = Duration::from_secs(1);
/// Penalty above which a source has to wait: a dozen mistakes are forgiven.
pub(crate) const PENALTY_FORGIVEN: Duration = Duration::from_secs(60);
/// Most penalty that a source can collect.
pub(crate) const PENALTY_MAX: Duration = Duration::from_secs(600);
/// Sources, and names tried from them, that are remembered.
pub(crate) const SOURCES_MAX: usize = 65_536;
/// How long the present owner of a name has to show that it lives when another one logs in.
pub const TAKEOVER_WAIT: Duration = Duration::from_secs(2);
/// How long a resume token is good for.
pub(crate) const TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest name in bytes that a client gives its device.
pub(crate) const DEVICE_NAME_MAX: usize = 64;
/// Most sessions of one account that can be configured.
pub(crate) const ACCOUNT_SESSIONS_MAX: u64 = 64;
/// Errands of one user at once: scripts that run side by side.
pub(crate) const ERRANDS_A_USER: usize = 16;
/// Rooms that one session may be in.
pub(crate) const OPEN_ROOMS_MAX: usize = 64;
/// Sessions of one account whose tokens are void until these expire; with one more, all tokens of
/// the account become void.
pub(crate) const VOIDED_A_USER: usize = 64;
/// Longest key in bytes by which a message that is sent twice is known as one.
pub(crate) const MESSAGE_KEY_MAX: usize = 32;
/// How long the key of a message is remembered.
pub(crate) const MESSAGE_KEY_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Keys that are remembered for one user; the oldest goes first. More requests than these are never
/// without an answer.
pub(crate) const MESSAGE_KEYS_A_USER: u32 = 256;
/// Keys that are remembered of all users together: some 5 MiB.
pub(crate) const MESSAGE_KEYS_MAX: usize = 50_000;
/// Requests of one connection that may wait for the store at once; then it is not read.
pub(crate) const AWAITED_MAX: u16 = 32;
/// Letters told at once to a user who logs in; the next ones follow when these have arrived.
pub(crate) const LETTERS_AT_ONCE: u64 = 64;
/// How long to wait before letters that could not be read are asked for again.
pub(crate) const LETTERS_RETRY: Duration = Duration::from_secs(5);
/// Users that one user may block.
pub(crate) const BLOCKS_MAX: usize = 1000;
/// Names remembered with the time when they were online last.
pub(crate) const SEEN_MAX: usize = 10_000;
/// Names listed in one reply; the total is always told.
pub(crate) const LIST_MAX: usize = 500;
/// Downloads of one user at once. They hold no upload slot.
pub(crate) const DOWNLOADS_A_USER: usize = 8;
/// Files of one user on the server, those on their way and halves included.
pub const FILES_A_USER: usize = 1000;
/// Files on the server, those on their way and halves included. The server knows them by heart, at
/// most half a kibibyte each.
pub(crate) const FILES_MAX: usize = 20_000;
/// Steps in which one request compares names of files with its pattern: 10 to 20 ms. Of twenty
/// thousand names of 50 characters that is twice what is needed, unless somebody wants to know how
/// long it can be made to take: `*aaab` and names of nothing but `a` were half a second.
pub(crate) const PATTERN_STEPS: usize = 4 * 1024 * 1024;
/// Files listed in one reply: of the longest names so many fit a frame.
pub(crate) const FILES_LISTED: usize = 64;
/// Files that are offered at once to a user who logs in or comes into a room: the newest.
pub const OFFERS_AT_ONCE: usize = 32;
/// How long what was handed to a guest waits for him after his connection was lost. He is known by
/// the token that he was given.
pub const GUEST_RETURN: Duration = Duration::from_secs(10 * 60);
/// How often the server looks for files that have expired.
pub(crate) const FILES_SWEEP: Duration = Duration::from_secs(60);
/// Files that are removed at one look: twenty thousand at once are more jobs than the store and the
/// disk have room for, and what finds none fails, uploads included.
pub(crate) const SWEEP_AT_ONCE: usize = 256;
/// How far the wall clock may be ahead of what is expected without being doubted: a machine that
/// slept, or a clock that was set, is off by more, and nothing expires for that.
pub(crate) const CLOCK_STEP: Duration = Duration::from_secs(60 * 60);
/// How long a clock that was doubted must stay as it is until files expire by it.
pub(crate) const CLOCK_TRIED: Duration = Duration::from_secs(60 * 60);
/// When the server looks again if there were more.
pub(crate) const SWEEP_MORE: Duration = Duration::from_secs(1);
/// Bytes of a file that one job reads to hash what is there since an earlier try: about 10 ms.
pub(crate) const REHASH_BYTES: u64 = 8 * MIB;
/// How often the worker of files looks how much room the disk has.
pub(crate) const SPACE_LOOK: Duration = Duration::from_secs(1);
/// How long a content that no record names stays aside: time to notice a wrong store.
pub(crate) const ASIDE_KEEP: Duration = Duration::from_secs(24 * 3600);
/// So many contents that no record names are no sign of a wrong store: a server that dies leaves
/// those that it had not noted yet.
pub(crate) const UNNEEDED_FEW: usize = 64;
/// Removed files of which the store knows the content: more than wait for the disk at any time.
pub(crate) const REMOVED_MAX: i64 = 4096;
/// Jobs that may wait for the file worker. From half of it on nobody is given a slot, and those who
/// have one add at most two each (a write or read, and its removal), so this line never overflows.
pub const FILE_JOBS_MAX: usize = 4096;
/// Jobs that may wait for the store. One costs at most a message's text, 4 KiB by default, so they
/// hold 32 MiB at most; 8,192 is also more logins than there are between two commits.
pub(crate) const STORE_JOBS_MAX: usize = 8192;
/// Jobs of the store in one transaction: so many share one fsync, which is what makes the disk
/// bearable, and no more, which bounds how long the first of them waits for the last.
pub(crate) const STORE_BATCH_MAX: usize = 1024;
/// How often the store looks whether another process has changed the accounts; one read of memory
/// that processes share.
pub(crate) const STORE_LOOK: Duration = Duration::from_secs(1);
/// How long the store waits while another process writes to it. Such a process is `parlor user`,
/// which hashes first and then writes for some milliseconds.
pub(crate) const STORE_BUSY: Duration = Duration::from_secs(5);

/// Shortest password in bytes that can be chosen. Guessing is held up by the lock after wrong ones,
/// not by length; six keep out what is tried first: names, years, four digits.
pub(crate) const PASSWORD_MIN: usize = 6;
/// Longest password in bytes: it fits a frame before login beside its name, also with each byte
/// escaped. What it costs to hash does not depend on it.
pub const PASSWORD_MAX: usize = 256;
/// Threads that hash passwords. Each takes 19 MiB and a core for some 25 ms a password.
pub(crate) const PASSWORD_WORKERS: usize = 2;
/// Passwords that may wait to be hashed: a second's work of the two threads. Who comes then is told
/// to come again.
pub const PASSWORD_WAITING: usize = 64;

/// Uploads of one user that may hold a slot or wait: nobody fills the line alone.
pub(crate) const UPLOADS_A_USER: usize = 16;
/// Bytes that must move for an upload to have got on: one byte now and then does
/// not keep a slot.
pub(crate) const STALL_BYTES: u64 = 16 * 1024;
/// Most upload slots that can be configured.
pub(crate) const UPLOAD_SLOTS_MAX: u64 = 256;
/// Bytes of log lines that may wait for the disk; then lines are dropped and counted.
pub(crate) const LOG_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long the log has at the end of the process to take what still waits.
pub(crate) const LOG_CLOSE: Duration = Duration::from_secs(2);

/// How long a member that has fallen behind holds up those who speak to it, each time its output
/// passes another of `PACE_STEPS` marks between soft and hard, and again each time it has taken
/// as much as lies between two marks. So a reader that takes 4 MB per second is waited for; one
/// that takes nothing is disconnected after a fifth of a second at the latest, and what the others
/// hear pauses for one step at a time.
pub const PACE: Duration = Duration::from_millis(25);
/// Marks between the soft and the hard one.
pub(crate) const PACE_STEPS: usize = 8;

/// The bounds that a server's owner may set; each is one option, one variable, one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections held at once, logged in or not. 0 in the configuration means "as many as the
    /// process may have descriptors"; here it is always the resolved number.
    pub connections: u64,
    /// Sessions of one account at once, errands not counted. With 1 a second login is refused, or
    /// takes over a dead session (system D).
    pub accounts_sessions: u64,
    /// Members of a room.
    pub room_members: u64,
    /// Rooms that exist at once.
    pub rooms: u64,
    /// Length of one message's text in bytes.
    pub message_bytes: u64,
    /// Uploads that hold a slot at once.
    pub upload_slots: u64,
    /// Uploads that wait in line for a slot.
    pub upload_waiting: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of one upload that may be under way without having reached the disk.
    pub upload_credit_bytes: u64,
    /// Connections at once that have not logged in; from a tenth of it on some are refused. 0: any.
    pub before_login: u64,
    /// The same from one source, except from this machine itself. 0: any.
    pub before_login_source: u64,
    /// Messages per second of one user; 0: any. As many again may come at once.
    pub message_rate: u64,
    /// Messages that are kept for one user.
    pub letters: u64,
    /// Users online above which nobody is told who comes and goes.
    pub presence_users: u64,
    /// How long a source that gave three wrong passwords in a row may not try that name.
    pub block_duration: Duration,
    /// Time without a command after which a user is logged out; zero: never.
    pub timeout: Duration,
    /// Time in which `STALL_BYTES` of an upload must move, or it loses its slot.
    pub upload_stall: Duration,
    /// Bytes of all files of one user, those on their way and half files included.
    pub files_user_bytes: u64,
    /// Bytes of all files together, those on their way and half files included.
    pub files_total_bytes: u64,
    /// Bytes of the disk that files leave free.
    pub files_free_bytes: u64,
    /// How long a file that was handed over is kept.
    pub files_keep: Duration,
    /// How long a file on a shelf is kept.
    pub shelf_keep: Duration,
    /// How long half a file is kept whose upload broke.
    pub partial_keep: Duration,
    /// Output of one connection above which it is no longer read and must drain within
    /// `output_soft_wait`.
    pub output_soft_bytes: u64,
    /// How long output may stay above the soft mark.
    pub output_soft_wait: Duration,
    /// Output of one connection above which it is disconnected at once.
    pub output_hard_bytes: u64,
    /// Output of one connection that has not logged in, above which it is disconnected at once.
    pub output_before_login_bytes: u64,
    /// Output of all connections together, above which the largest is disconnected first.
    pub output_total_bytes: u64,
    /// Time from the connection to its first byte.
    pub first_byte_before: Duration,
    /// Time from the connection to its login, whatever bytes arrive.
    pub login_before: Duration,
    /// Silence after which a peer is asked for a sign of life.
    pub heartbeat: Duration,
    /// Silence after which a peer is disconnected.
    pub dead_after: Duration,
    /// Time that clients have to take their last output at shutdown, and that any connection has
    /// to take its last words.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            accounts_sessions: 8,
            room_members: 15,
            rooms: 10_000,
            message_bytes: 4 * KIB,
            upload_slots: 5,
            upload_waiting: 64,
            file_bytes: 3 * MIB,
            upload_credit_bytes: 256 * KIB,
            before_login: 1000,
            before_login_source: 16,
            message_rate: 1000,
            letters: 1000,
            presence_users: 1000,
            block_duration: Duration::from_secs(60),
            timeout: Duration::ZERO,
            upload_stall: Duration::from_secs(30),
            files_user_bytes: 4 * GIB,
            files_total_bytes: 64 * GIB,
            files_free_bytes: 64 * MIB,
            files_keep: Duration::from_secs(7 * 24 * 60 * 60),
            shelf_keep: Duration::from_secs(30 * 24 * 60 * 60),
            partial_keep: Duration::from_secs(24 * 60 * 60),
            output_soft_bytes: 256 * KIB,
            output_soft_wait: Duration::from_secs(10),
            output_hard_bytes: MIB,
            output_before_login_bytes: 8 * KIB,
            output_total_bytes: 256 * MIB,
            first_byte_before: Duration::from_secs(5),
            login_before: Duration::from_secs(30),
            heartbeat: Duration::from_secs(30),
            dead_after: Duration::from_secs(90),
            drain: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// Whether the bounds fit each other.
    ///
    /// # Errors
    /// One sentence that names both settings and says which must be the larger.
    pub fn check(&self) -> Result<(), String> {
        let pairs = [
            (
                self.output_soft_bytes >= self.output_hard_bytes,
                "output-soft must be below output-hard",
            ),
            (
                self.output_hard_bytes > self.output_total_bytes,
                "output-hard must not exceed output-total",
            ),
            (
                self.output_soft_bytes < 2 * FRAME_MAX as u64,
                "output-soft must be at least 128KiB, two of the longest frames",
            ),
            (self.heartbeat >= self.dead_after, "heartbeat must be below dead-after"),
            (
                self.upload_credit_bytes < CHUNK_MAX as u64,
                "upload-credit must be at least 32KiB, one chunk",
            ),
        ];
        match pairs.iter().find(|(broken, _)| *broken) {
            Some((_, text)) => Err((*text).to_owned()),
            None => Ok(()),
        }
    }
}

// A chunk and its header fit a frame; in base64, with "/chunk 4294967295 " before it, a line.
const _: () = assert!(CHUNK_MAX + 5 < FRAME_MAX);
const _: () = assert!(CHUNK_MAX.div_ceil(3) * 4 + 32 < FRAME_MAX);
const _: () = assert!(FRAME_BEFORE_LOGIN_MAX < FRAME_MAX);
const _: () = assert!((FRAME_MAX as u32) < FRAME_LENGTH_CEILING);
// A request before login has a name, a password in which each byte may be escaped, and its words.
const _: () = assert!(2 * PASSWORD_MAX + USER_NAME_MAX + 128 < FRAME_BEFORE_LOGIN_MAX);
const _: () = assert!(PASSWORD_MIN < PASSWORD_MAX);
const _: () = assert!(STORE_BATCH_MAX <= STORE_JOBS_MAX);
// What one read brings can always be kept whole beside an unfinished frame.
const _: () = assert!(READ_TURN_BYTES >= FRAME_MAX);
const _: () = assert!(WRITE_BATCH <= 1024);
// They are put together in the buffer for reading, and are no more than one turn writes.
const _: () = assert!(WRITE_JOIN_BYTES <= READ_TURN_BYTES);
const _: () = assert!(WRITE_JOIN_BYTES <= WRITE_TURN_BYTES);
const _: () = assert!(TURN_READ.as_millis() < TURN_FLUSH.as_millis());
const _: () = assert!(TURN_FLUSH.as_millis() < 10);
const _: () = assert!(FILE_JOBS_MAX as u64 >= 8 * UPLOAD_SLOTS_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit_each_other() {
        assert_eq!(Limits::default().check(), Ok(()));
    }

    #[test]
    fn limits_that_contradict_each_other_are_named() {
        let limits = Limits { heartbeat: Duration::from_secs(100), ..Limits::default() };
        assert!(limits.check().unwrap_err().contains("dead-after"));
        let limits = Limits { output_soft_bytes: 2 * MIB, ..Limits::default() };
        assert!(limits.check().unwrap_err().contains("output-hard"));
    }
}
