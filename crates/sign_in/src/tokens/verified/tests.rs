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
    let held = |tokens: &VerifiedTokens| {
        let shards = tokens.shards.iter().map(|shard| shard.read().unwrap());
        shards.fold((0, 0), |(count, bytes), shard| {
            let kept: usize = shard.entries.keys().map(|token| token.len()).sum();
            assert_eq!(kept, shard.bytes);
            (count + shard.entries.len(), bytes + kept)
        })
    };
    for number in 0..40_000 {
        tokens.remember(&format!("short.{number}"), verified("one"));
    }
    assert!(held(&tokens).0 <= SHARDS * SHARD_ENTRIES);
    for number in 0..4_000 {
        tokens.remember(&format!("{}.{number}", "long".repeat(4_000)), verified("one"));
    }
    let (count, bytes) = held(&tokens);
    assert!(count > 100 && bytes <= SHARDS * SHARD_BYTES, "{count} {bytes}");
    // One that is remembered again is counted once.
    tokens.remember("again", verified("one"));
    tokens.remember("again", verified("two"));
    assert_eq!(kid(&tokens, "again").as_deref(), Some("two"));
    held(&tokens);
}

/// Maps find their places by the lowest bits and tell neighbours apart by the highest: both differ within a shard.
#[test]
fn tokens_of_one_shard_differ_in_the_bits_that_its_map_looks_at() {
    let tokens = VerifiedTokens::default();
    let first = tokens.shard("0").unwrap();
    let within = (0..4_000)
        .map(|number| number.to_string())
        .filter(|token| std::ptr::eq(tokens.shard(token).unwrap(), first));
    let hashes: Vec<u64> = within.map(|token| tokens.hasher.hash_one(&token)).collect();
    let distinct = |bits: fn(u64) -> u64| {
        hashes.iter().map(|hash| bits(*hash)).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert!(hashes.len() > 100, "{}", hashes.len());
    assert_eq!(distinct(|hash| hash & 15), 16);
    assert!(distinct(|hash| hash >> 57) > 16);
}
