//! What holds across areas: tried on the application as a whole.

mod areas {
    mod recovery;
    mod unreadable_records;
    mod world;
}
