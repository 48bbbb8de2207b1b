//! Behaviour of the room, file by file.
