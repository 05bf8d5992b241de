//! The contract of a store as tests, run by every back end.
