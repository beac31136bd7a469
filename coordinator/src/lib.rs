//! The coordinator: one SQL question becomes one query per site, and the sites' answers become one result that says what
//! is in it. It is trusted with no rows: all that it ever holds are tables that sites have released.
//!
//! A question meets the modules in this order:
//!
//! 1. [`config`]: what the operator writes.
//! 2. `serve`: the Flight SQL port for analysts.
//! 3. `catalogue`: the tables that the sites publish to this caller.
//! 4. `answer`: the pipeline of one question, a numbered list.
//!    `templates`: the approved queries that they publish.
//! 5. [`planner`]: the process beside the front that plans, and decodes what sites send.
//! 6. `plan`: passes from a question to one query per cut and site.
//! 7. `ask_sites`, `dispatch`: who is asked what; all at once, under one deadline.
//! 8. `completeness`: whether enough of them answered.
//! 9. `combine_answers`, `combine`: from their answers to one result.
//! 10. `queries`: what became of each question.

mod answer;
mod ask_sites;
mod catalogue;
mod combine;
mod combine_answers;
mod completeness;
pub mod config;
mod dispatch;
mod plan;
pub mod planner;
mod queries;
mod serve;
mod templates;

pub use answer::{Coordinator, Session};
pub use catalogue::Member;
pub use config::Config;
pub use planner::Planner;
