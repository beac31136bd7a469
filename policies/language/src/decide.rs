//! `decide(admitted, footprint)`: pure, total, the only maker of a [`Permit`].

pub use crate::table::Obligations;

use crate::id::{AgreementHash, AgreementId};

/// Leave to run one cut and to release what disclosure lets through. Only [`decide`] makes one.
#[derive(Debug, Clone)]
pub struct Permit {
    agreement: AgreementId,
    hash: AgreementHash,
    obligations: Obligations,
    rows_out_max: u64,
}

impl Permit {
    /// The agreement that permits.
    pub fn agreement(&self) -> &AgreementId {
        &self.agreement
    }

    /// Its version.
    pub fn hash(&self) -> &AgreementHash {
        &self.hash
    }

    /// What the engine must compute beside the cut, and what is public about the table.
    pub fn obligations(&self) -> &Obligations {
        &self.obligations
    }

    /// Rows that an answer may have.
    pub fn rows_out_max(&self) -> u64 {
        self.rows_out_max
    }
}
