//! A step of the walk: who asked for what, and whether it went as expected.

#[derive(Debug)]
pub(super) struct Step {
    pub(super) way: &'static str,
    pub(super) who: &'static str,
    pub(super) what: String,
    pub(super) expected: bool,
    pub(super) allowed: bool,
    pub(super) reason: String,
}

impl Step {
    pub(super) fn is_as_expected(&self) -> bool {
        self.allowed == self.expected
    }
}
