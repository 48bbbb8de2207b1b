//! What a server and its owner ask of the store before they believe the files beside it.
//!
//! Refuses to know those files. The rule it keeps: each is one transaction.

use std::collections::BTreeSet;

use super::error::StoreError;
use super::pair;
use super::sqlite::{Access, Sqlite};
use crate::id::StoreId;
use crate::message::Digest;

impl Sqlite {
    /// Which store this is.
    ///
    /// # Errors
    /// Why the store cannot tell.
    pub(crate) fn id(&mut self) -> Result<StoreId, StoreError> {
        self.transact(Access::Read, |file, _| pair::id(file))
    }

    /// Contents that were removed and may be there still.
    ///
    /// # Errors
    /// Why the store cannot tell.
    pub(crate) fn removed(&mut self) -> Result<BTreeSet<Digest>, StoreError> {
        self.transact(Access::Read, |file, _| pair::removed(file))
    }

    /// Another generation begins; what was removed in those before it is done with.
    ///
    /// # Errors
    /// Why the store cannot note it.
    pub(crate) fn begin_generation(&mut self, generation: u64) -> Result<StoreId, StoreError> {
        self.transact(Access::Write, |file, _| pair::begin(file, generation))
    }
}
