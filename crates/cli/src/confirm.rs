//! Confirmation before irreversible deletions; `--yes` skips it.

use std::io::{BufRead, IsTerminal};

use anyhow::bail;
use clap::Args;

use crate::output;

#[derive(Args, Clone, Copy, Debug)]
pub struct ConfirmArgs {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl ConfirmArgs {
    /// Returns if the user confirms; `question` describes the consequence.
    pub(crate) fn ask(self, question: &str) -> anyhow::Result<()> {
        if self.yes {
            return Ok(());
        }
        let input = std::io::stdin();
        if !input.is_terminal() {
            bail!("{question} Nobody can be asked here: give --yes");
        }
        output::ask(format_args!("{question} (y/N) "));
        let mut answer = String::new();
        input.lock().read_line(&mut answer)?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => bail!("nothing was changed"),
        }
    }
}
