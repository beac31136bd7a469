//! Who is let in, in which order a request is checked, and that every tightening keeps people out.

use liquid_policy::admit::open_to;
use liquid_policy::id::{AgreementHash, AgreementId, Purpose};
use liquid_policy::{Caller, Code, Named, Refusal, Signed, admit};

use crate::support::{SMALL, agreement, approvals, caller, day, nothing_named, ring, signed};

const TODAY: &str = "2026-03-01";

fn refused(agreements: &[Signed], caller: &Caller, named: Named<'_>, today: &str) -> Refusal {
    admit(agreements, caller, named, day(today))
        .map(|admitted| admitted.purpose().clone())
        .expect_err("refused")
}

#[test]
fn closed_by_default() {
    let refusal = refused(&[], &caller("institute", "analyst", &["care"]), nothing_named(), TODAY);
    assert_eq!((refusal.code, refusal.clause.as_str()), (Code::Recipient, "recipient"));
}

#[test]
fn recipients_with_their_purpose_are_admitted() {
    let agreements = [signed(&agreement(SMALL))];
    for (role, purpose, admitted) in [
        ("analyst", "care", true),
        ("analyst", "research", true),
        ("lead", "research", true),
        ("lead", "care", false),
        ("guest", "care", false),
    ] {
        let result = admit(&agreements, &caller("institute", role, &[purpose]), nothing_named(), day(TODAY));
        assert_eq!(result.is_ok(), admitted, "{role} for {purpose}");
        assert!(result.map(|admitted| admitted.purpose().as_str() == purpose).unwrap_or(true));
    }
    let elsewhere = caller("bureau", "analyst", &["care"]);
    assert_eq!(refused(&agreements, &elsewhere, nothing_named(), TODAY).code, Code::Recipient);
}

#[test]
fn a_caller_with_several_purposes_names_one() {
    let agreements = [signed(&agreement(SMALL))];
    let both = caller("institute", "analyst", &["research", "care"]);
    let refusal = refused(&agreements, &both, nothing_named(), TODAY);
    assert_eq!((refusal.code, refusal.clause.as_str()), (Code::Purpose, "recipient.purposes"));
    assert!(refusal.fix.contains("`care`, `research`"), "{refusal}");
    let research = Purpose::new("research");
    let named = Named { purpose: Some(&research), ..Named::default() };
    assert_eq!(*admit(&agreements, &both, named, day(TODAY)).expect("admitted").purpose(), research);
    // A purpose that the token does not carry is not theirs, whatever the agreement says.
    let care = caller("institute", "analyst", &["care"]);
    assert_eq!(refused(&agreements, &care, named, TODAY).code, Code::Purpose);
    let none = caller("institute", "analyst", &[]);
    assert_eq!(refused(&agreements, &none, named, TODAY).code, Code::Purpose);
    assert_eq!(refused(&agreements, &none, nothing_named(), TODAY).code, Code::Purpose);
}

#[test]
fn days_are_inclusive() {
    let agreements = [signed(&agreement(SMALL))];
    let who = caller("institute", "analyst", &["care"]);
    for (today, outcome) in [
        ("2025-12-31", Some((Code::NotInForce, "agreement.in_force"))),
        ("2026-01-01", None),
        ("2026-06-30", None),
        ("2026-07-14", None),
        ("2026-07-15", Some((Code::ReviewOverdue, "agreement.review"))),
        ("2026-12-31", Some((Code::ReviewOverdue, "agreement.review"))),
        ("2027-01-01", Some((Code::NotInForce, "agreement.expires"))),
    ] {
        let found = admit(&agreements, &who, nothing_named(), day(today)).err();
        let found = found.as_ref().map(|refusal| (refusal.code, refusal.clause.as_str()));
        assert_eq!(found, outcome, "{today}");
        assert_eq!(open_to(&agreements, &who, day(today)).len(), usize::from(outcome.is_none()), "{today}");
    }
}

/// Each check is reached only when those before it pass, so the first thing that is wrong is the one that is said.
#[test]
fn checks_come_in_order() {
    let small = agreement(SMALL);
    let unsigned =
        Signed::verify(small.clone(), &approvals(&small, &["north".into()]), &ring(&["north".into()]));
    let (stranger, outsider) =
        (caller("bureau", "analyst", &["care"]), caller("institute", "analyst", &["fun"]));
    let insider = caller("institute", "analyst", &["care"]);
    let other = AgreementHash::new("ff");
    let pinned = Named { pinned: Some(&other), ..Named::default() };
    let (late, overdue) = ("2027-06-01", "2026-09-01");
    let good = || signed(&small);
    let code = |agreement: Signed, who: &Caller, today| refused(&[agreement], who, pinned, today).code;
    assert_eq!(code(unsigned.clone(), &stranger, late), Code::Recipient);
    assert_eq!(code(unsigned.clone(), &outsider, late), Code::Purpose);
    assert_eq!(code(unsigned, &insider, late), Code::Unsigned);
    assert_eq!(code(good(), &insider, late), Code::NotInForce);
    assert_eq!(code(good(), &insider, overdue), Code::ReviewOverdue);
    assert_eq!(code(good(), &insider, TODAY), Code::Version);
    let held = Named { pinned: Some(small.hash()), ..Named::default() };
    assert!(admit(&[good()], &insider, held, day(TODAY)).is_ok());
}

#[test]
fn where_several_apply_one_is_named() {
    let one = signed(&agreement(SMALL));
    let two = signed(&agreement(&SMALL.replace("A-1", "A-2")));
    let who = caller("institute", "analyst", &["care"]);
    let refusal = refused(&[one.clone(), two.clone()], &who, nothing_named(), TODAY);
    assert!(refusal.message.contains("`A-1`, `A-2`"), "{refusal}");
    let id = AgreementId::new("A-2");
    let named = Named { agreement: Some(&id), ..Named::default() };
    let admitted = admit(&[one.clone(), two.clone()], &who, named, day(TODAY)).expect("admitted");
    assert_eq!(*admitted.agreement().id(), id);
    assert_eq!(open_to(&[one.clone(), two], &who, day(TODAY)).len(), 2);
    // One that has run out does not stand in the way of its successor.
    let old = SMALL.replace("A-1", "A-0").replace("expires = 2026-12-31", "expires = 2026-02-01");
    let admitted = admit(&[signed(&agreement(&old)), one.clone()], &who, nothing_named(), day(TODAY));
    assert_eq!(admitted.expect("admitted").agreement().id().as_str(), "A-1");
    // Two versions that stand on the same day are for the operator to clear up.
    let next = signed(&agreement(&SMALL.replace("1.0.0", "1.0.1")));
    assert_eq!(refused(&[one.clone(), next.clone()], &who, nothing_named(), TODAY).code, Code::Version);
    let held = Named { pinned: Some(next.agreement().hash()), ..Named::default() };
    // Nor does a request choose between them: it would choose the looser one.
    assert_eq!(refused(&[one, next.clone()], &who, held, TODAY).code, Code::Version);
}

/// Who is no recipient reads the same words whether an agreement exists or not.
#[test]
fn strangers_learn_nothing_of_an_agreement() {
    let who = caller("bureau", "analyst", &["care"]);
    let id = AgreementId::new("A-1");
    let named = Named { agreement: Some(&id), ..Named::default() };
    let there = refused(&[signed(&agreement(SMALL))], &who, named, TODAY);
    assert_eq!(there, refused(&[], &who, named, TODAY));
}

/// Every single tightening of the agreement, against every caller, purpose and day: who was kept out stays out.
#[test]
fn tighter_never_admits_more() {
    let tightenings = [
        ("in_force = 2026-01-01", "in_force = 2026-02-01"),
        ("expires = 2026-12-31", "expires = 2026-07-01"),
        ("due = 2026-06-30", "due = 2026-03-31"),
        ("grace_days = 14", "grace_days = 0"),
        ("roles = [\"lead\", \"analyst\"]", "roles = [\"lead\"]"),
        ("roles = [\"lead\", \"analyst\"]", "roles = [\"analyst\"]"),
        ("purposes = [\"care\"]", "purposes = [\"research\"]\nresidency = []"),
        ("[\"care\", \"research\"]\nin_force", "[\"care\", \"research\", \"audit\"]\nin_force"),
        ("role = \"processor\"", "role = \"controller\""),
    ];
    let loose = [signed(&agreement(SMALL))];
    let (mut admitted, mut lost) = (0, 0);
    for (from, to) in tightenings {
        let text = SMALL.replacen(from, to, 1);
        assert_ne!(text, SMALL);
        let tight = [signed(&agreement(&text))];
        for role in ["analyst", "lead", "guest"] {
            for purposes in [&["care"][..], &["research"], &["care", "research"], &["audit"], &[]] {
                for purpose in [None, Some("care"), Some("research"), Some("audit")] {
                    for month in 0..14 {
                        let today = day("2025-12-15") + chrono::Months::new(month);
                        let who = caller("institute", role, purposes);
                        let purpose = purpose.map(Purpose::new);
                        let named = Named { purpose: purpose.as_ref(), ..Named::default() };
                        let before = admit(&loose, &who, named, today).is_ok();
                        let after = admit(&tight, &who, named, today).is_ok();
                        // `research` for an analyst came from the other entry before, so this stays a tightening.
                        assert!(
                            before || !after,
                            "{from} -> {to}: {role} {purposes:?} {purpose:?} on {today}"
                        );
                        admitted += usize::from(before);
                        lost += usize::from(before && !after);
                    }
                }
            }
        }
    }
    assert!(admitted > 300 && lost > 50, "{admitted} {lost}");
}
