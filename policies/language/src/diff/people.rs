//! Who agrees, whose signatures count, and who may ask.

use std::collections::{BTreeMap, BTreeSet};

use super::order::{self, Step};
use super::{About, Changes, Direction, keys, sorted};
use crate::decide::key;
use crate::file::{Party, Recipient, Signoff};
use crate::id::{OrganisationName, Purpose, RoleName};

/// The parties. Whose signature counts, and who may stop the agreement, is never changed by one of them alone: a party more is
/// `neither` and not tighter.
pub(super) fn parties(changes: &mut Changes, (old, new): (&Vec<Party>, &Vec<Party>)) {
    let by_name = |parties: &'_ Vec<Party>| -> BTreeMap<OrganisationName, Party> {
        parties.iter().map(|party| (party.organisation.clone(), party.clone())).collect()
    };
    let (old, new) = (by_name(old), by_name(new));
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let clause = format!("party.{}", key(name.as_str()));
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => party(changes, &clause, old, new),
            (Some(gone), None) => {
                let way = if gone.role.is_controller() { Direction::Loosens } else { Direction::Neither };
                changes.add(clause, Some(way), About::Nothing, |way| match way {
                    Direction::Loosens => {
                        format!("`{name}` is no party any more, so its signature is not needed")
                    }
                    _ => format!("`{name}` is no party any more"),
                });
            }
            (None, Some(_)) => {
                changes.add(clause, Some(Direction::Neither), About::Nothing, |_| {
                    format!("`{name}` becomes a party, so there is one more who has a say")
                });
            }
            (None, None) => {}
        }
    }
}

fn party(changes: &mut Changes, clause: &str, old: &Party, new: &Party) {
    keys!(Party { organisation, role, point_of_contact, deputies, approvers } of old, new);
    let signs = (role.0.is_controller(), role.1.is_controller());
    let step = order::neither(role).map(|way| if signs == (true, false) { Direction::Loosens } else { way });
    changes.add(format!("{clause}.role"), step, About::Nothing, |_| {
        let end = match signs {
            (true, false) => "its signature is not needed any more",
            (false, true) => "its signature is needed from now on",
            _ => "it answers for something else in law",
        };
        format!("the role of `{}` changes; {end}", organisation.1)
    });
    let subject = format!("whom to ask at `{}`", organisation.1);
    changes.value(
        format!("{clause}.point_of_contact"),
        order::recorded(point_of_contact),
        &subject,
        point_of_contact,
    );
    let subject = format!("who stands in at `{}`", organisation.1);
    let sets = (sorted(deputies.0), sorted(deputies.1));
    changes.value(format!("{clause}.deputies"), order::recorded((&sets.0, &sets.1)), &subject, deputies);
    let subject = format!("the roles that sign for `{}`", organisation.1);
    let sets = (sorted(approvers.0), sorted(approvers.1));
    changes.value(format!("{clause}.approvers"), order::neither((&sets.0, &sets.1)), &subject, approvers);
}

/// Whose signatures make the agreement valid.
pub(super) fn signoff(changes: &mut Changes, (old, new): (&Signoff, &Signoff)) {
    keys!(Signoff { rule, roles_per_party, author_may_sign } of old, new);
    changes.value("signoff.rule", order::neither(rule), "which parties sign", rule);
    changes.add("signoff.roles_per_party", order::higher(roles_per_party), About::Nothing, |way| {
        let end = if way == Direction::Tightens { "more must sign" } else { "fewer must sign" };
        format!("{} roles sign for each party, not {}; {end}", roles_per_party.1, roles_per_party.0)
    });
    changes.add("signoff.author_may_sign", order::leave(author_may_sign), About::Nothing, |way| match way {
        Direction::Tightens => "who wrote the agreement may no longer sign it".to_owned(),
        _ => "who wrote the agreement may sign it".to_owned(),
    });
}

/// What one recipient may ask for, in one role; with the countries to which results may go for it, none where that is left open.
type Grants = BTreeMap<(RoleName, Purpose), Option<BTreeSet<String>>>;

/// The recipients, each organisation by itself. How its grants are spread over entries is of no matter.
pub(super) fn recipients(changes: &mut Changes, (old, new): (&Vec<Recipient>, &Vec<Recipient>)) {
    let (old, new) = (grants(old), grants(new));
    let none = Grants::new();
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let (before, after) = (old.get(name).unwrap_or(&none), new.get(name).unwrap_or(&none));
        let clause = format!("recipient.{}", key(name.as_str()));
        let (had, has): (BTreeSet<_>, BTreeSet<_>) = (before.keys().collect(), after.keys().collect());
        changes.add(clause.as_str(), order::fewer(&had, &has), About::Callers(Some(name.clone())), |way| {
            let said = |grants: BTreeSet<&&(RoleName, Purpose)>| {
                let said = grants.into_iter().map(|(role, purpose)| format!("`{role}` for `{purpose}`"));
                said.collect::<Vec<_>>().join(", ")
            };
            let (gains, loses) = (has.difference(&had).collect(), had.difference(&has).collect());
            let effect = way.effect();
            match way {
                Direction::Loosens => format!("`{name}` may ask as {}; {effect}", said(gains)),
                Direction::Tightens => format!("`{name}` may no longer ask as {}; {effect}", said(loses)),
                _ => {
                    format!("`{name}` may ask as {}, and no longer as {}; {effect}", said(gains), said(loses))
                }
            }
        });
        let both = had.intersection(&has);
        let step = order::all(both.map(|grant| residency(before.get(*grant), after.get(*grant))));
        changes.add(format!("{clause}.residency"), step, About::Nothing, |way| {
            let end = match way {
                Direction::Tightens => "in fewer countries",
                Direction::Loosens => "in more countries",
                _ => "in other countries",
            };
            format!("`{name}` may process results {end}")
        });
    }
}

/// Fewer countries are tighter; to name none leaves all of them open.
fn residency(old: Option<&Option<BTreeSet<String>>>, new: Option<&Option<BTreeSet<String>>>) -> Step {
    let (Some(old), Some(new)) = (old, new) else { return None };
    order::switched((old, new), |(old, new)| order::fewer(old, new))
}

fn grants(recipients: &[Recipient]) -> BTreeMap<OrganisationName, Grants> {
    let mut found: BTreeMap<OrganisationName, Grants> = BTreeMap::new();
    for Recipient { organisation, roles, purposes, residency } in recipients {
        let grants = found.entry(organisation.clone()).or_default();
        let countries = (!residency.is_empty()).then(|| sorted(residency));
        for grant in roles.iter().flat_map(|role| purposes.iter().map(move |p| (role.clone(), p.clone()))) {
            let known = grants.entry(grant).or_insert_with(|| Some(BTreeSet::new()));
            // Of several entries for one grant each may be used, so their countries add up.
            *known = match (known.take(), &countries) {
                (Some(mut known), Some(more)) => {
                    known.extend(more.iter().cloned());
                    Some(known)
                }
                _ => None,
            };
        }
    }
    found
}
