//! What several tests share.

pub(crate) mod rng;
pub(crate) mod workers;
