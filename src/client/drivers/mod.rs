//! PURE. Who decides what is done in a conversation: whoever types, a menu, or an errand.
//!
//! Knows the deeds that there are, and neither server nor terminal. The rule it keeps: a driver is
//! told what happened and says what to do next; how that is done is for the conversation to know.

pub(super) mod deed;
pub(super) mod menu;
pub(super) mod work;
