//! Failed sign-ins, for whoever reads the log: which account, from where, and why. Never what was shown as a proof.

use std::{fmt::Display, net::IpAddr};

/// One failed sign-in of a person or a client.
pub fn report(account: &str, source: Option<IpAddr>, reason: &dyn Display) {
    let source = source.map_or_else(|| "unknown".to_owned(), |address| address.to_canonical().to_string());
    tracing::info!(
        sign_in.account = printable(account),
        sign_in.source = source,
        sign_in.reason = printable(&reason.to_string()),
        "a sign-in failed"
    );
}

/// Nothing that a terminal would act on, and not more than a line takes.
fn printable(text: &str) -> String {
    let escape = |letter: char| match letter {
        // Also marks that turn the direction of what follows.
        letter if letter.is_ascii_graphic() || letter == ' ' || letter.is_alphanumeric() => {
            letter.to_string()
        }
        letter => letter.escape_unicode().to_string(),
    };
    text.chars().take(LONGEST).map(escape).collect()
}

const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_is_logged() {
        assert_eq!(printable("alice@example.org"), "alice@example.org");
        assert_eq!(printable("a\u{1b}[2J\nb\u{202e}c"), "a\\u{1b}[2J\\u{a}b\\u{202e}c");
        assert_eq!(printable(&"x".repeat(5000)).len(), LONGEST);
    }
}
