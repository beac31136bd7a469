//! Passes from a question to one query per cut and site, one file each.
//!
//! 1. [`federate`]: the whole way, in order. Passes that a site runs too are in [`liquid_engine::federated`].
//! 2. [`tables`]: which sites hold all tables of a cut, and whether joining there is joining over all sites.

pub(crate) mod federate;
pub(crate) mod tables;
