//! What is remembered of tokens that were verified, by their whole text.

use super::*;

fn verified(kid: &str) -> Arc<Verified> {
    let id = "3f0d0d4e-56a4-4a58-8f5b-0c8e2a1d9b77";
    Arc::new(Verified {
        kid: kid.into(),
        audience: String::new(),
        application: None,
        tenant: TenantId::parse(id).unwrap(),
        object_id: ObjectId::parse(id).unwrap(),
        app_id: AppId::parse(id).unwrap(),
        client: None,
        not_before: Timestamp::UNIX_EPOCH,
        expires: Timestamp::UNIX_EPOCH,
        stamp: 0,
    })
}

fn kid(tokens: &VerifiedTokens, token: &str) -> Option<String> {
    tokens.find(token).map(|found| found.kid.clone())
}

/// Whatever a hash says: another token, by one character anywhere, is not known.
#[test]
fn a_token_is_known_whole_and_not_by_any_part_of_it() {
    let tokens = VerifiedTokens::default();
    let token: String = ('a'..='z').cycle().take(1300).collect();
    tokens.remember(&token, verified("one"));
    assert_eq!(kid(&tokens, &token).as_deref(), Some("one"));
    for place in 0..token.len() {
        let mut other = token.clone();
        other.replace_range(place..=place, "_");
        assert_eq!(kid(&tokens, &other), None, "{place}");
    }
    for other in [&token[1..], &token[..token.len() - 1], &format!("{token}a"), &format!("a{token}"), ""] {
        assert_eq!(kid(&tokens, other), None, "{other}");
    }
}

#[test]
fn what_is_remembered_is_bounded_in_number_and_in_bytes() {
    let tokens = VerifiedTokens::default();
    for number in 0..40_000 {
        tokens.remember(&format!("short.{number}"), verified("one"));
    }
    assert!(tokens.0.len() <= MOST, "{}", tokens.0.len());
    for number in 0..4_000 {
        tokens.remember(&format!("{}.{number}", "long".repeat(4_000)), verified("one"));
    }
    let (count, bytes) =
        tokens.0.iter().fold((0, 0), |(count, bytes), (token, _)| (count + 1, bytes + token.len()));
    assert!(count > 100 && bytes <= MOST * USUAL_BYTES, "{count} {bytes}");
    // One that is remembered again is counted once.
    let before = tokens.0.len();
    tokens.remember("again", verified("one"));
    tokens.remember("again", verified("two"));
    assert_eq!(kid(&tokens, "again").as_deref(), Some("two"));
    assert!(tokens.0.len() <= before + 1);
}
