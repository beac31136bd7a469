//! DataFusion over one site's own data. It lives in a child process that may die of a query; nothing that it produces
//! from data leaves the site before the front has put it through disclosure.
//!
//! The modules stand in the order in which data and questions meet them:
//!
//! 1. [`config`]: what the operator writes: sources, views, model, caps.
//! 2. `error`: the operator's text and the caller's, kept apart.
//! 3. `runtime`, `session`, `three_valued`: threads with big stacks, sessions with bounded memory and without one
//!    wrong simplification.
//! 4. `sources`, `views`: raw files, and the statements that map them onto the shared tables.
//! 5. `lineage`, `tables`, `opened`: the tables held against the model, and the files that they were read from;
//!    [`discover`] looks at files for which there is no model yet.
//! 6. `filter`, `domain`, `base`, `checks`: whoever is out altogether is out, values outside declared domains are NULL; entities
//!    and required values are there.
//! 7. `guard`, `nulls`: which counts each aggregate needs beside it.
//! 8. `product`, `statics`: what is public before any data is read.
//! 9. `distinct`, `contributors`, `entity_hash`: distinct entities up to k, counted in the same pass.
//! 10. `sums`, `spread`: what each entity adds to a sum, and whether few make up too much of it.
//! 11. `added`, `atoms`, `families`: what cells add up over which populations, and who is in them.
//!     `keyed_hash`, `terms`, `remembered`: the same of everybody, to be judged beside all that was released before.
//! 12. `names`, `step`, `hidden`, `apart`, `differ`, `run`: one cut over the rows or over what a step computes for each entity, with
//!     its hidden columns; `apart` counts whom a join leaves out, `differ` whom the conditions below a step concern.
//! 13. [`finish`]: the rest of a query over released tables alone.
//! 14. [`parameters`], `ipc`, [`local`]: the worker that answers a front's questions.
//! 15. [`federated`]: a question over several sites, as one of them is asked it; [`call`]: approved queries with their values.
//! 16. [`offline`]: what a question would be told, from the agreement and a schema alone.

mod absent;
mod added;
mod apart;
mod atoms;
mod base;
mod checks;
pub mod config;
mod contributors;
mod differ;
mod distinct;
mod domain;
mod entity_hash;
mod error;
mod families;
mod filter;
mod guard;
mod hidden;
mod ipc;
mod keyed_hash;
mod lineage;
mod lists;
mod names;
mod nulls;
mod opened;
mod product;
mod remembered;
mod run;
mod runtime;
mod session;
mod sources;
mod spread;
mod statics;
mod step;
mod sums;
mod tables;
mod terms;
mod three_valued;
mod views;

pub mod call;
pub mod discover;
pub mod federated;
pub mod finish;
pub mod local;
pub mod offline;
pub mod parameters;

pub use config::{Credentials, EngineConfig, Format, SourceConfig, StoreConfig};
pub use discover::{Discovered, count, discover};
pub use error::{Cause, Failure, OpenError, Place};
pub use finish::{Finished, finish};
pub use local::LocalEngine;
