//! Any edit that changes what an agreement says voids its signatures; any that does not leaves them valid.

use std::sync::Arc;

use liquid_policy::keyring::Standing;
use liquid_policy::statement::Act;
use liquid_policy::{Keyring, SignatureFile, Signed, SigningKey, TrustedKey, parse};

use crate::support::{SMALL, agreement, approvals, key, ring, signed, signer, trusted};

#[test]
fn every_controller_must_sign() {
    let agreement = agreement(SMALL);
    assert!(signed(&agreement).is_complete());
    for (signers, missing) in [
        (vec!["north", "south"], vec![]),
        (vec!["north"], vec!["south"]),
        (vec!["south"], vec!["north"]),
        (vec![], vec!["north", "south"]),
        (vec!["host"], vec!["north", "south"]),
    ] {
        let signers: Vec<_> = signers.into_iter().map(Into::into).collect();
        let said = approvals(&agreement, &signers);
        let ring = ring(&["north".into(), "south".into(), "host".into()]);
        let signed = Signed::verify(Arc::clone(&agreement), &said, &ring);
        let lacks: Vec<_> = signed.lacks().iter().map(ToString::to_string).collect();
        assert_eq!(lacks, missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>(), "{signers:?}");
        assert_eq!(signed.is_complete(), missing.is_empty());
    }
}

#[test]
fn only_trusted_keys_count_and_only_for_their_organisation() {
    let agreement = agreement(SMALL);
    let said = approvals(&agreement, &["north".into(), "south".into()]);
    let verify =
        |trusted: &[TrustedKey]| Signed::verify(Arc::clone(&agreement), &said, &Keyring::from(trusted));
    assert!(!verify(&[]).is_complete());
    assert!(verify(&[]).signatures().iter().all(|(_, standing)| *standing == Standing::Untrusted));
    let mut keys = trusted(&["north".into(), "south".into()]);
    assert!(verify(&keys).is_complete());
    // The key of one organisation does not sign for another, even under its name.
    keys[1].public_key = keys[0].public_key.clone();
    assert_eq!(verify(&keys).signatures()[1].1, Standing::Broken);
    assert!(!verify(&keys).is_complete());
    // A key of another name is another key.
    let mut keys = trusted(&["north".into(), "south".into()]);
    keys[0].key_id = "k2".into();
    assert_eq!(verify(&keys).signatures()[0].1, Standing::Untrusted);
    // One key does not sign for two organisations by being copied.
    let mut copied = said.clone();
    copied[1] = copied[0].clone();
    copied[1].organisation = "south".into();
    let signed = Signed::verify(Arc::clone(&agreement), &copied, &ring(&["north".into(), "south".into()]));
    assert!(!signed.is_complete());
}

#[test]
fn a_signature_is_made_for_statements_alone() {
    use base64::Engine as _;
    let agreement = agreement(SMALL);
    let seed: Vec<u8> = std::iter::repeat_n(9, 32).collect();
    let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes");
    let mut said = approvals(&agreement, &["north".into(), "south".into()]);
    let bare = pair.sign(agreement.canonical());
    said[0].signature = base64::engine::general_purpose::STANDARD.encode(bare);
    let mut keys = trusted(&["north".into(), "south".into()]);
    keys[0].public_key = SigningKey::from_seed(&seed).expect("32 bytes").public_key();
    let signed = Signed::verify(agreement, &said, &Keyring::from(keys.as_slice()));
    assert_eq!(signed.signatures()[0].1, Standing::Broken);
}

/// Nothing that a statement says can be changed on its way: who, in which role, with which key, when, and what.
#[test]
fn every_word_of_a_statement_is_signed() {
    let agreement = agreement(SMALL);
    let approved = approvals(&agreement, &["north".into()]).remove(0);
    let ring = ring(&["north".into(), "south".into()]);
    assert_eq!(ring.standing(&approved), Standing::Valid);
    let mut changed = vec![approved.clone(); 4];
    changed[0].role = "dpo".into();
    changed[1].time += chrono::Duration::seconds(1);
    changed[2].act = Act::Write { agreement: agreement.hash().clone() };
    changed[3].act = Act::Approve { agreement: "another".into() };
    for statement in changed {
        assert_eq!(ring.standing(&statement), Standing::Broken, "{statement:?}");
        assert_ne!(statement.hash(), approved.hash());
    }
}

/// Every byte of the file, replaced by several others: either the text is no agreement any more, or it says the same as
/// before, or the signatures are void.
#[test]
fn one_byte_changed() {
    let before = agreement(SMALL);
    let controllers: Vec<_> = before.controllers().cloned().collect();
    let said = approvals(&before, &controllers);
    let ring = ring(&controllers);
    let (mut unreadable, mut same, mut void) = (0, 0, 0);
    for (at, byte) in SMALL.bytes().enumerate() {
        for other in *b"0198aeZ -.,\"#[=\n" {
            if other == byte {
                continue;
            }
            let mut text = SMALL.as_bytes().to_vec();
            text[at] = other;
            let text = String::from_utf8(text).expect("still text");
            let Ok(after) = parse(&text, "edited.toml") else {
                unreadable += 1;
                continue;
            };
            let signed = Signed::verify(Arc::new(after.clone()), &said, &ring);
            if after.hash() == before.hash() {
                assert_eq!(after, *before, "{text}");
                assert!(signed.is_complete());
                same += 1;
            } else {
                assert!(!signed.is_complete(), "{text}");
                void += 1;
            }
        }
    }
    assert!(unreadable > 1000 && same > 10 && void > 500, "{unreadable} {same} {void}");
}

#[test]
fn spelling_is_not_signed() {
    let respelt = SMALL
        .replace("[table.t]\nentity = \"person\"", "[table.'t'] # protected\nentity = 'person'")
        .replace("minimum_contributors = 10", "minimum_contributors = 0xA")
        .replace(
            "review = { due = 2026-06-30, grace_days = 14 }",
            "review.grace_days = 14\nreview.due = 2026-06-30",
        );
    assert_ne!(respelt, SMALL);
    assert_eq!(agreement(&respelt).hash(), agreement(SMALL).hash());
    assert_ne!(
        agreement(&SMALL.replace("minimum_contributors = 10", "minimum_contributors = 11")).hash(),
        agreement(SMALL).hash()
    );
}

#[test]
fn the_canonical_form_does_not_change() {
    let canonical = String::from_utf8(agreement(SMALL).canonical().to_vec()).expect("text");
    assert!(
        canonical.starts_with(r#"{"agreement":{"expires":"2026-12-31","id":"A-1","in_force":"2026-01-01","#)
    );
    assert_eq!(
        agreement(SMALL).hash().as_str(),
        "fbc99d46a0ff984eca33dfc0138df88f252b6f9ac79f5e38ed3006195a13f16c",
        "every signature ever made would be void: {canonical}"
    );
}

#[test]
fn signature_files_are_read_as_written() {
    let agreement = agreement(SMALL);
    let mut file = SignatureFile { signatures: approvals(&agreement, &["north".into(), "south".into()]) };
    let at = "2026-02-01T00:00:00Z".parse().expect("a time");
    let hash = agreement.hash().clone();
    for act in [
        Act::Write { agreement: hash.clone() },
        Act::Activate { agreement: hash.clone(), at },
        Act::Suspend { id: agreement.id().clone() },
        Act::Resume { id: agreement.id().clone(), suspensions: ["s".into()].into() },
        Act::Revoke { revoked: "k0".into() },
        Act::HandOver { to: "k2".into(), public_key: "cHVibGlj".into() },
    ] {
        file.add(key(&"north".into()).say(act, signer("north", "siro", "k1")));
    }
    assert_eq!(file.signatures.len(), 8);
    let text = file.to_string();
    assert_eq!(SignatureFile::parse(&text, "agreement.sig.toml").expect(&text), file);
    let json = serde_json::to_string(&file).expect("JSON");
    assert_eq!(serde_json::from_str::<SignatureFile>(&json).expect(&json), file);
    assert_eq!(SignatureFile::parse("", "agreement.sig.toml").expect("empty"), SignatureFile::default());
    assert!(SignatureFile::parse(&text.replace("key_id", "key"), "agreement.sig.toml").is_err());
    assert!(SignatureFile::parse(&text.replace("revoked =", "revoke ="), "agreement.sig.toml").is_err());
    let again = file.signatures[0].clone();
    file.add(again);
    assert_eq!(file.signatures.len(), 8);
}

#[test]
fn keys_are_32_bytes() {
    assert!(SigningKey::from_seed(&[1; 31]).is_err());
    assert!(SigningKey::from_pkcs8(b"no key").is_err());
    let seed = [5; 32];
    let shown = format!("{:?}", SigningKey::from_seed(&seed));
    assert!(!shown.contains(&hex::encode(seed)) && !shown.contains("5, 5"), "{shown}");
}
