//! One step of the demo: the caller, the request, and whether the outcome was as expected.

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
