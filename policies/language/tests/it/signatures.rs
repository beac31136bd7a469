//! Any edit that changes what an agreement says voids its signatures; any that does not leaves them valid.

use std::sync::Arc;

use liquid_policy::signature::Standing;
use liquid_policy::{SignatureFile, Signed, SigningKey, parse};

use crate::support::{SMALL, agreement, signatures, signed, trusted};

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
        let file = signatures(&agreement, &signers);
        let trusted = trusted(&["north".into(), "south".into(), "host".into()]);
        let signed = Signed::verify(Arc::clone(&agreement), &file, &trusted);
        assert!(signed.missing().iter().map(|o| o.as_str()).eq(missing.iter().copied()), "{signers:?}");
        assert_eq!(signed.is_complete(), missing.is_empty());
    }
}

#[test]
fn only_trusted_keys_count_and_only_for_their_organisation() {
    let agreement = agreement(SMALL);
    let file = signatures(&agreement, &["north".into(), "south".into()]);
    let verify = |trusted: &[_]| Signed::verify(Arc::clone(&agreement), &file, trusted);
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
    let mut copied = file.clone();
    copied.signatures[1] = copied.signatures[0].clone();
    copied.signatures[1].organisation = "south".into();
    let signed = Signed::verify(Arc::clone(&agreement), &copied, &trusted(&["north".into(), "south".into()]));
    assert!(!signed.is_complete());
}

#[test]
fn a_signature_is_made_for_agreements_alone() {
    use base64::Engine as _;
    let agreement = agreement(SMALL);
    let seed: Vec<u8> = std::iter::repeat_n(9, 32).collect();
    let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes");
    let mut file = signatures(&agreement, &["north".into(), "south".into()]);
    let bare = pair.sign(agreement.canonical());
    file.signatures[0].signature = base64::engine::general_purpose::STANDARD.encode(bare);
    let mut keys = trusted(&["north".into(), "south".into()]);
    keys[0].public_key = SigningKey::from_seed(&seed).expect("32 bytes").public_key();
    let signed = Signed::verify(agreement, &file, &keys);
    assert_eq!(signed.signatures()[0].1, Standing::Broken);
}

/// Every byte of the file, replaced by several others: either the text is no agreement any more, or it says the same as
/// before, or the signatures are void.
#[test]
fn one_byte_changed() {
    let before = agreement(SMALL);
    let controllers: Vec<_> = before.controllers().cloned().collect();
    let file = signatures(&before, &controllers);
    let trusted = trusted(&controllers);
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
            let signed = Signed::verify(Arc::new(after.clone()), &file, &trusted);
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
    let mut file = signatures(&agreement, &["north".into(), "south".into()]);
    let text = file.to_string();
    assert_eq!(SignatureFile::parse(&text, "agreement.sig.toml").expect(&text), file);
    assert_eq!(SignatureFile::parse("", "agreement.sig.toml").expect("empty"), SignatureFile::default());
    assert!(SignatureFile::parse(&text.replace("key_id", "key"), "agreement.sig.toml").is_err());
    let again = file.signatures[0].clone();
    file.add(again);
    assert_eq!(file.signatures.len(), 2);
}

#[test]
fn keys_are_32_bytes() {
    assert!(SigningKey::from_seed(&[1; 31]).is_err());
    assert!(SigningKey::from_pkcs8(b"no key").is_err());
    let seed = [5; 32];
    let shown = format!("{:?}", SigningKey::from_seed(&seed));
    assert!(!shown.contains(&hex::encode(seed)) && !shown.contains("5, 5"), "{shown}");
}
