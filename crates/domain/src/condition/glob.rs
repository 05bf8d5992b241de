//! Patterns with wildcards, matched in bounded time.

/// Whether `text` matches `pattern`, in which `*` stands for any run of characters, slashes included.
/// Case does not count for ASCII letters.
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*').map(str::as_bytes);
    let text = text.as_bytes();
    let Some(prefix) = pieces.next() else { return text.is_empty() };
    let Some((head, mut rest)) = text.split_at_checked(prefix.len()) else { return false };
    if !head.eq_ignore_ascii_case(prefix) {
        return false;
    }
    let Some(suffix) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let found = (0..=rest.len()).find_map(|start| {
            let (window, after) = rest.get(start..)?.split_at_checked(piece.len())?;
            window.eq_ignore_ascii_case(piece).then_some(after)
        });
        match found {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.len()
        .checked_sub(suffix.len())
        .and_then(|start| rest.get(start..))
        .is_some_and(|tail| tail.eq_ignore_ascii_case(suffix))
}
