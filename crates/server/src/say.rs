//! Lines on standard output. Whoever reads them may have seen enough (`| head`), which is no fault.

use std::{
    fmt::{self, Display, Formatter},
    io::{ErrorKind, Write},
};

use anyhow::Context;

/// Nobody reads standard output any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderGone;

impl Display for ReaderGone {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("standard output was closed by its reader")
    }
}

impl std::error::Error for ReaderGone {}

pub(crate) fn say(line: impl Display) -> anyhow::Result<()> {
    say_all(format!("{line}\n").as_bytes())
}

/// Bytes as they are.
pub(crate) fn say_all(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        written => written.context("writing to standard output"),
    }
}

/// A line for standard error. Where nobody can read it, nobody need be told.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
