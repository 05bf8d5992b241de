//! The condition language of role assignments, version 2.0.
