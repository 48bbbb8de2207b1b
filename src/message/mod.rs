//! PURE. The words that everybody in the house speaks: what people ask, what they are answered,
//! what they hear, and the names in it.
//!
//! Knows no bytes (that is `front`) and no rules of who may what (that is `hub`); the client speaks
//! the same words from the other side. The rule it keeps: a value of a checked type (`UserName`,
//! `RoomName`, `FileName`, `Text`) cannot exist with content that some terminal, log or protocol
//! would take for something else.

/// The version of the native protocol that this server and this client speak.
pub(crate) const PROTOCOL_VERSION: u32 = 1;

mod command;
mod event;
mod file;
mod message_key;
mod name;
mod password;
mod refusal;
mod reply;
mod size;
mod text;

pub use command::{Announced, ClientTraits, Command, FileRef, Op, Proof, Secret};
pub use event::{CloseReason, Ending, Event, Greeting, LogoutReason};
pub use file::{Digest, FileLine, Target};
pub use message_key::MessageKey;
pub use name::{FileName, Key, Name, NameError, RoomName, UserName};
pub use password::check_password;
pub(crate) use password::may_be_password;
pub use refusal::{Hint, Refusal};
pub use reply::{Names, Reply, RoomLine, SessionLine, UploadLine};
pub use size::exact;
pub use text::{Text, TextError, visible};
pub(crate) use text::{is_blank, is_unprintable, without_mark};
