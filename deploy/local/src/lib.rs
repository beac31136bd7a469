//! A whole federation on one machine: for the demo, for tests, for a first try with one's own data.
//!
//! 1. [`blueprint`]: what it is to be, as data; [`heart`], [`tpch`], [`wellbeing`] and [`starter`] are four, [`own`] makes one of folders
//!    that somebody else has prepared.
//! 2. [`authority`], [`keys`], [`issuer`]: certificates, signing keys and tokens, made anew each time.
//! 3. [`folder`]: writes what each part needs, laid out as an operator would; [`join`] adds a site to it later.
//! 4. [`serve`]: opens one part from its configuration and serves it.
//! 5. [`federation`]: runs them all, as child processes ([`process`]) or in this process, in a folder that goes with them
//!    ([`passing`]), and lets a site stop or die.
//! 6. [`connection`]: how clients reach it.
//! 7. [`client`]: asks over Flight SQL, and [`answer`] is what comes back.

pub mod answer;
pub mod authority;
pub mod blueprint;
pub mod client;
pub mod connection;
mod error;
pub mod federation;
pub mod folder;
pub mod heart;
pub mod issuer;
pub mod join;
pub mod keys;
pub mod own;
mod part;
pub mod passing;
pub mod process;
pub mod serve;
pub mod starter;
mod task;
pub mod tpch;
pub mod wellbeing;

pub use blueprint::Blueprint;
pub use error::Error;
pub use federation::{Federation, Run};
