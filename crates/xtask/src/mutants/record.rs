//! What has been judged, one change a line: a run that ends can go on, and people read it afterwards.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A test of its own crate fails.
    Caught,
    /// A test of a crate above fails, and none of its own.
    CaughtAbove,
    /// Every test passes.
    Missed,
    /// No change that could be made.
    Unbuildable,
}

/// How a sample stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub sample: usize,
    pub counts: BTreeMap<Outcome, usize>,
    pub missed: Vec<String>,
    /// The record itself.
    pub place: PathBuf,
}

#[derive(Debug)]
pub(super) struct Record {
    place: PathBuf,
    outcomes: BTreeMap<String, Outcome>,
}

impl Record {
    pub(super) fn open(place: PathBuf) -> anyhow::Result<Self> {
        let text = if place.exists() { fs::read_to_string(&place)? } else { String::new() };
        let mut outcomes = BTreeMap::new();
        for line in text.lines() {
            let (outcome, name) =
                line.split_once('\t').with_context(|| format!("{}: {line}", place.display()))?;
            outcomes.insert(name.to_owned(), Outcome::parse(outcome)?);
        }
        Ok(Self { place, outcomes })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.outcomes.contains_key(name)
    }

    pub(super) fn add(&mut self, name: &str, outcome: Outcome) -> anyhow::Result<()> {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&self.place)?;
        writeln!(file, "{outcome}\t{name}").with_context(|| format!("writing {}", self.place.display()))?;
        self.outcomes.insert(name.to_owned(), outcome);
        Ok(())
    }

    pub(super) fn summary(&self, sample: usize) -> Summary {
        let mut counts = BTreeMap::new();
        for outcome in self.outcomes.values() {
            *counts.entry(*outcome).or_default() += 1;
        }
        let missed = self.outcomes.iter().filter(|(_, outcome)| **outcome == Outcome::Missed);
        Summary {
            sample,
            counts,
            missed: missed.map(|(name, _)| name.clone()).collect(),
            place: Path::new(&self.place).to_path_buf(),
        }
    }
}

impl Summary {
    /// Whether all of the sample has been judged.
    pub fn is_complete(&self) -> bool {
        self.counts.values().sum::<usize>() >= self.sample
    }

    /// Caught and built, in numbers.
    pub fn caught(&self) -> (usize, usize) {
        let count = |outcome| self.counts.get(&outcome).copied().unwrap_or_default();
        let caught = count(Outcome::Caught) + count(Outcome::CaughtAbove);
        (caught, caught + count(Outcome::Missed))
    }

    /// Whether at least 95 of 100 that build are caught.
    pub fn is_enough(&self) -> bool {
        let (caught, built) = self.caught();
        caught * 100 >= built * 95
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (caught, built) = self.caught();
        for name in &self.missed {
            writeln!(f, "missed: {name}")?;
        }
        let judged: usize = self.counts.values().sum();
        let above = self.counts.get(&Outcome::CaughtAbove).copied().unwrap_or_default();
        write!(
            f,
            "mutants: {judged} of {} judged; {caught} of {built} that build are caught, {above} of them by crates above ({})",
            self.sample,
            self.place.display()
        )
    }
}

impl Outcome {
    fn parse(text: &str) -> anyhow::Result<Self> {
        Ok(match text {
            "caught" => Self::Caught,
            "caught above" => Self::CaughtAbove,
            "missed" => Self::Missed,
            "unbuildable" => Self::Unbuildable,
            other => bail!("{other:?} is no outcome"),
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caught => "caught",
            Self::CaughtAbove => "caught above",
            Self::Missed => "missed",
            Self::Unbuildable => "unbuildable",
        })
    }
}
