//! First versions that nobody has placed: whose data they open, and by whose word.

use std::sync::Arc;

use liquid_policy::life::Life;
use liquid_policy::statement::{Act, Statement};

use super::{QUORUM, TWO_OF_THREE, at, one, other, say, signed_off, trusted};
use crate::support::agreement;

#[test]
fn a_first_version_that_was_proposed_opens_no_data_of_others() {
    let v1 = one();
    let stands_at = |here: &str, said: &[Statement], now| {
        let versions = [(Arc::clone(&v1), false), (other(), true)];
        let life = Life::new(versions, said.to_vec(), &trusted(), here.into(), Default::default());
        life.heads(now).iter().any(|head| head.agreement().id().as_str() == "A-1")
    };
    let (before, now) = (at("02-28T00:00"), at("06-01T00:00"));
    let mut said = signed_off(&v1);
    assert!(!stands_at("north", &said, now), "not active");
    said.push(say("south/siro", Act::Activate { agreement: v1.hash().clone(), at: at("03-01T00:00") }));
    assert!(stands_at("north", &said, now) && !stands_at("north", &said, before));
    assert!(!stands_at("host", &said, now) && !stands_at("west", &said, now));
    said.remove(0);
    assert!(!stands_at("north", &said, now));
}

/// Nor those of their own, by a rule of their own: it asks no less of a site's people than what its operator has placed.
#[test]
fn nobody_opens_their_site_by_a_first_version_with_a_rule_of_their_own() {
    let text = TWO_OF_THREE.replace("id = \"A-1\"", "id = \"B-1\"");
    let strict = TWO_OF_THREE.replace("\"guardian\", \"siro\", \"dpo\"", "\"guardian\", \"siro\"");
    let begins = |text: &str, placed: Option<&str>, people: &[&str]| {
        let first = agreement(text);
        let mut said: Vec<_> =
            people.iter().map(|who| say(who, Act::Approve { agreement: first.hash().clone() })).collect();
        said.push(say("host/dpo", Act::Write { agreement: first.hash().clone() }));
        said.push(say(
            "north/siro",
            Act::Activate { agreement: first.hash().clone(), at: at("03-01T00:00") },
        ));
        let placed = placed.map(|text| (agreement(text), true));
        let versions = [(first, false)].into_iter().chain(placed);
        let life = Life::new(versions, said, &trusted(), "north".into(), Default::default());
        life.heads(at("06-01T00:00")).iter().any(|head| head.agreement().id().as_str() == "B-1")
    };
    let all: Vec<&str> = QUORUM.into_iter().chain(["north/dpo", "south/dpo"]).collect();
    assert!(begins(&text, Some(TWO_OF_THREE), &all));
    assert!(begins(&strict.replace("id = \"A-1\"", "id = \"B-1\""), Some(TWO_OF_THREE), &all));
    let nothing_of_north = TWO_OF_THREE.replacen("organisation = \"north\"", "organisation = \"east\"", 1);
    for (edit, placed) in [
        (("", ""), None),
        (("", ""), Some(nothing_of_north.as_str())),
        (("", ""), Some(strict.as_str())),
        (("roles_per_party = 2", "roles_per_party = 1"), Some(TWO_OF_THREE)),
        (("author_may_sign = false", "author_may_sign = true"), Some(TWO_OF_THREE)),
        (("\napprovers = [\"guardian\", \"siro\", \"dpo\"]", ""), Some(TWO_OF_THREE)),
    ] {
        let text = if edit.0.is_empty() { text.clone() } else { text.replace(edit.0, edit.1) };
        assert!(!begins(&text, placed, &all), "{edit:?} {placed:?}");
    }
}
