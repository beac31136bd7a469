//! Who is admitted was admitted by `admit`, with signatures that `verify` has seen.

use std::sync::Arc;

use liquid_policy::id::Purpose;
use liquid_policy::{Admitted, Agreement, Caller, Signed};

pub fn unsigned(agreement: Arc<Agreement>) -> Signed {
    Signed { agreement, signatures: Vec::new(), lacks: Vec::new(), suspended: Vec::new(), approvals: Vec::new(), authors: Default::default() }
}

pub fn uninvited(agreement: Arc<Agreement>, caller: Caller, purpose: Purpose) -> Admitted {
    Admitted { agreement, caller, purpose, template: None }
}
