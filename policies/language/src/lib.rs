//! What an agreement says, and what it decides: pure code, no clock, no sockets, no engine.
//!
//! The modules stand in the order in which a request meets them:
//!
//! 1. [`id`]: the names that everything else is keyed by.
//! 2. [`document`]: the agreement as data that cannot hold nonsense, with [`table`] for what it says of one table.
//! 3. [`parse`]: the text of a file becomes a document, or an error that points into the file.
//! 4. [`signature`]: who signed which canonical form, and whether that is enough.
//! 5. [`admit`]: caller, purpose and dates against one agreement.
//! 6. [`footprint`]: what one cut of a query touches, as plain data.
//! 7. [`decide`]: the only maker of a [`Permit`].
//! 8. [`refusal`]: the answer "no", as an expected answer and not as an error.

pub mod admit;
pub mod decide;
pub mod document;
pub mod footprint;
pub mod id;
pub mod parse;
pub mod refusal;
pub mod signature;
pub mod table;


pub use decide::{Obligations, Permit};

pub use footprint::Footprint;
pub use refusal::{Code, Refusal};
