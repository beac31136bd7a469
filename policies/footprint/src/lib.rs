//! SQL becomes cuts, cuts become footprints: DataFusion's plan types only, nothing here runs a query.
//!
//! The modules stand in the order in which a query meets them:
//!
//! 1. [`error`]: a plan is refused, invalid, or shows a bug; `explain` puts DataFusion's errors in our words.
//! 2. `gate`: caps on size, depth and chains, before any parser sees the text; `statement` parses one query.
//! 3. [`catalogue`]: the tables that a query may name, as opaque sources matched by identity.
//! 4. [`functions`]: the functions that a query may name; no other can be written at all. `date_trunc` is our own.
//! 5. [`plan`]: text and bound values become an analysed plan, on a big stack.
//! 6. [`site_query`]: [`SiteQuery`], one cut over base columns, as a site is asked it.
//! 7. [`inline`]: what lies below a cut becomes expressions over base columns; `join` tells join conditions from others.
//! 8. `expression`, `call`: the closed list of expressions that may stand below a cut.
//! 9. [`fold`]: constants are computed, conditions that have become constant disappear.
//! 10. [`cut`]: a plan becomes its cuts and what lies above them.
//! 11. [`upper`]: the closed list of what may stand above the cuts.
//! 12. [`branches`]: the branches of an aggregate that contribute to it: one analysis for decision and engine.
//! 13. [`footprint`]: a cut as the plain data that `liquid_policy::decide` judges; `dates`: how it looks at days.
//! 14. [`print`]: a cut as SQL text and bound values, and the proof that it reads back the same.
//! 15. [`template`]: queries whose parameters have names, and the types that their places give these.
//! 16. [`marks`]: what lies above the cuts, rewritten to carry the marks of withheld cells.

mod bins;
pub mod branches;
mod call;
pub mod catalogue;
pub mod cut;
mod date_trunc;
mod dates;
mod draft;
pub mod error;
mod explain;
mod expression;
mod fold;
pub mod footprint;
mod functions;
mod gate;
mod inline;
mod join;
pub mod marks;
pub mod plan;
pub mod print;
pub mod site_query;
mod site_step;
mod statement;
mod step;
pub mod template;
pub mod upper;

pub use branches::{Branch, Factor, branches};
pub use catalogue::{Catalogue, Opaque, TableKind};
pub use cut::{Cut, Request, cut};
pub use date_trunc::date_trunc;
pub use error::PlanError;
pub use footprint::footprint;
pub use marks::{MarkedPlan, carry_marks};
pub use plan::plan;
pub use print::{Printed, print, roundtrip};
pub use site_query::{SiteAggregate, SiteQuery};
pub use upper::bind_tables;
