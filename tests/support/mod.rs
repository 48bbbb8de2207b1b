//! What several tests share.

pub(crate) mod fnv;
pub(crate) mod rng;
pub(crate) mod workers;
