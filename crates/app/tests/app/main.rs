//! The use cases as their callers have them, each world with a tenant that must not be reached from the other.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod contention;
mod recovery;
mod sealing_key;
mod unreadable_records;
