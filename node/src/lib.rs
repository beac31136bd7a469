//! The site: sovereign, trusting nobody. No DataFusion here: the data lies behind an engine in a process of its own.
//!
//! A request meets the modules in this order:
//!
//! 1. [`config`]: what the operator wrote.
//! 2. [`agreements`]: the agreements that the node holds, with what their signatures prove.
//! 3. [`node`]: everything that is open while a node runs.
//! 4. [`serve`]: Flight SQL; who asks is settled here, and by which way the question came.
//! 5. [`envelope`]: a coordinator's question: whose it is, for whom, until when; [`replay`]: and whether it was here before.
//! 6. [`pipeline`]: the one way out: admit, check, execute, disclose, finish, audit.
//!    `time_class`: when an answer leaves.
//! 7. [`check`]: plan, decide, and the record of what was asked.
//! 8. [`execute`]: the engine's rows become `Withheld`, in the one decoder.
//!    `history`: what was ever released, beside which they are judged.
//! 9. [`audit`]: the record, on disk before the bytes leave.
//! 10. [`governance`]: what the parties' people say to the node.
//! 11. [`mod@preview`]: what a draft would have meant for past questions, for the site's own people.
//! 12. `templates`: what approved queries take and give, for those who may call them.
//! 13. [`in_process`]: the same without a network, for tests.

pub mod agreements;
pub mod audit;
pub mod check;
pub mod config;
pub mod envelope;
pub mod execute;
pub mod governance;
mod history;
pub mod in_process;
pub mod node;
pub mod pipeline;
pub mod preview;
pub mod replay;
pub mod serve;
mod templates;
mod time_class;

pub use config::Config;
pub use history::history_path;
pub use in_process::InProcess;
pub use node::{Node, Parts};
