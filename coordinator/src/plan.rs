//! Passes from a question to one query per cut and site, one file each.
//!
//! 1. [`federate`]: the whole way, in order.
//! 2. [`decompose`]: aggregates become partial results that add up over sites.
//! 3. [`tables`]: which sites hold all tables of a cut, and whether joining there is joining over all sites.
//! 4. [`bind_site`]: the virtual column `site` becomes the site's name, and what that decides is decided.

pub(crate) mod bind_site;
pub(crate) mod decompose;
pub(crate) mod federate;
pub(crate) mod tables;

/// The virtual column that every federated table has, unless it has one of that name itself.
pub(crate) const SITE: &str = "site";
