//! Who has said that an agreement goes on again, and whose word is still missing.

use std::collections::{BTreeMap, BTreeSet};

use super::status::SaidBy;
use super::{Life, Line};
use crate::id::OrganisationName;
use crate::signature::{Lack, Signed};
use crate::statement::{Act, Statement};

impl Life {
    /// Who agrees to lift all suspensions that hold, and what the sign-off still lacks for that; nothing where nothing is suspended.
    pub(super) fn resuming(&self, line: &Line<'_>, head: &Signed) -> (Vec<SaidBy>, Vec<Lack>) {
        let wanted: BTreeSet<_> = head.suspended().iter().map(Statement::hash).collect();
        if wanted.is_empty() {
            return Default::default();
        }
        let lifts = |it: &&Statement| {
            matches!(&it.act, Act::Resume { id, suspensions }
                if id == head.agreement().id() && suspensions.is_superset(&wanted))
        };
        let counts = |it: &&Statement| self.is_of_approver(head.agreement(), it);
        let said = self.statements.iter().filter(lifts).filter(counts).map(SaidBy::from).collect();
        let signing: Vec<_> = line.ends.iter().flat_map(|end| self.signing(end)).collect();
        let open =
            wanted.iter().flat_map(|it| signing.iter().map(|rule| self.said.keep(it, &rule.agreement)));
        let open = open.flatten();
        // Of each organisation the longest list: who lifts all of them does what any of them lacks.
        let mut lacks: BTreeMap<OrganisationName, (usize, Lack)> = BTreeMap::new();
        for lack in open {
            let Lack::Signatures { organisation, more, .. } = &lack else { continue };
            let known = lacks.entry(organisation.clone()).or_insert((*more, lack.clone()));
            if *more > known.0 {
                *known = (*more, lack);
            }
        }
        (said, lacks.into_values().map(|(_, lack)| lack).collect())
    }
}
