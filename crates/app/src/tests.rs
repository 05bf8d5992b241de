//! What holds across areas: tried on the application as a whole.

mod recovery;
mod unreadable_records;
mod world;
