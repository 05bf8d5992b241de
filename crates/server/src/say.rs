//! Standard output and error. A closed pipe (`| head`) is not a failure.

use std::{
    fmt::{self, Display, Formatter},
    io::{ErrorKind, Write},
};

use anyhow::Context;

/// The error for a closed standard output pipe.
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

/// Writes bytes to standard output.
pub(crate) fn say_all(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        written => written.context("writing to standard output"),
    }
}

/// Prints a line on standard error; write errors are ignored.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
