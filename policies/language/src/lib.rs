//! What an agreement says, and what it decides: pure code, no clock, no sockets, no engine.
//!
//! The modules stand in the order in which a request meets them:
//!
//! 1. [`id`]: the names that everything else is keyed by.
//! 2. [`file`]: the agreement key by key as it is written, with [`mod@key`] for who keeps each key, [`schema`] for the
//!    published JSON Schema, and [`grain`] for the steps of the calendar.
//! 3. [`document`]: the agreement as data that cannot hold nonsense, with [`table`] for what it says of one table and
//!    [`condition`] for whom it leaves out.
//! 4. [`mod@parse`]: the text of a file becomes a document, or an error that points into the file.
//! 5. [`statement`]: what people of the parties say of agreements, signed; [`keyring`]: whose keys count; [`signature`]: whether
//!    a version is signed; [`life`]: which version stands at an instant.
//! 6. [`mod@admit`]: caller, purpose and dates against the agreements of a node.
//!    [`mod@template`]: approved queries, and who may call which.
//! 7. [`footprint`]: what one cut of a query touches, as plain data.
//! 8. [`mod@decide`]: the only maker of a [`Permit`].
//! 9. [`refusal`]: the answer "no", as an expected answer and not as an error.
//! 10. [`verdict`]: what a question would be told, without a permit.
//! 11. [`mod@diff`]: which way a version of an agreement goes, clause by clause, with questions that show it.
//!
//! [`unseen`]: characters that nobody sees, which no name has and every text for people writes out. [`spelling`]: what somebody
//! meant who wrote a name that is not known.
//!
//! For those who write and sign agreements: [`mod@render`] puts one into plain English, [`mod@lint`] gives advice on one,
//! and [`mod@preset`] has settings to begin a new one with.
//!
//! ```
//! use std::sync::Arc;
//! use liquid_policy::footprint::{Aggregate, Argument, Footprint, Function};
//! use liquid_policy::{Caller, Code, Keyring, Named, Signed, admit, decide::judge, parse};
//!
//! let text = include_str!("../../examples/heart/agreement.toml");
//! let agreement = Arc::new(parse(text, "agreement.toml")?);
//!
//! // One patient, picked out by name: the agreement gives `patient` no use.
//! let count = Aggregate { function: Function::Count, argument: Argument::Rows, filter: vec![] };
//! let touches = Footprint {
//!     tables: vec!["cardiac".into()],
//!     joins: vec![],
//!     mixed: false,
//!     filter: vec!["patient".into()],
//!     groups: vec![],
//!     aggregates: vec![count],
//!     dates: vec![],
//!     step: None,
//! };
//! let refusal = judge(&agreement, &touches).unwrap_err();
//! assert_eq!(refusal.clause, "table.cardiac.columns.patient.use");
//!
//! // Nobody has signed, so nobody is let in.
//! let unsigned = Signed::verify(Arc::clone(&agreement), &[], &Keyring::default());
//! let caller = Caller {
//!     organisation: "heart-institute".into(),
//!     roles: vec!["analyst".into()],
//!     subject: "ann".into(),
//!     purposes: vec!["cardiac-care".into()],
//! };
//! let today = *agreement.in_force().start();
//! let refusal = admit(&[unsigned], &caller, Named::default(), today).unwrap_err();
//! assert_eq!(refusal.code, Code::Unsigned);
//! # Ok::<(), liquid_policy::ParseError>(())
//! ```

pub mod admit;
pub mod condition;
pub mod decide;
pub mod diff;
pub mod document;
pub mod file;
pub mod footprint;
pub mod grain;
pub mod id;
pub mod key;
pub mod keyring;
pub mod life;
pub mod lint;
pub mod parse;
pub mod preset;
pub mod refusal;
pub mod render;
pub mod schema;
pub mod signature;
pub mod spelling;
pub mod statement;
pub mod table;
pub mod template;
pub mod unseen;
pub mod verdict;

pub use admit::{Admitted, Caller, Named, admit};
pub use decide::{Obligations, Permit, decide, decide_tighter};
pub use diff::{Diff, Direction, diff};
pub use document::Agreement;
pub use footprint::Footprint;
pub use keyring::Keyring;
pub use parse::{ParseError, parse, parse_beside};
pub use refusal::{Code, Refusal};
pub use signature::{SignatureFile, Signed};
pub use statement::{SigningKey, TrustedKey};
pub use template::Template;
