//! Reclaims space: rewrites the store file without the compacted history.
//!
//! ```text
//! old file   ░░ forgotten ░░ ▓ still needed ▓ ░░░ ▓▓ │ history after the compaction │ what is committed meanwhile
//! new file   base: the state at the compaction ──────┤ the same frames ─────────────┤ added by the writer at the end
//! ```
//!
//! A thread writes the new file beside the old one and verifies it by reading it back with the code that opens a
//! store; commits continue meanwhile. The writer then adds what was committed in between and renames the new file to
//! the store's name. Until the rename the old file is the store, after it the new one, complete and durable.

use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::file::{Appender, FrameProblem, Scan, StoreFile, unavailable};
use super::format::{
    DurabilityMark, FIRST_FRAME, FileId, FilePosition, FrameKind, FrameWriter, Header, Record,
};
use super::index::Index;
use super::recover::{apply, recover};
use super::shared::State;
use crate::{Revision, StoreError};

/// What to copy into the new file.
#[derive(Debug)]
pub(super) struct Plan {
    source: Arc<StoreFile>,
    compacted: Revision,
    /// The records of the state at `compacted`.
    base: Vec<FilePosition>,
    /// The byte range of the frames of the history after `compacted`.
    history: Range<u64>,
}

/// A new file that has not yet replaced the old one.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub(super) file: StoreFile,
    pub(super) index: Index,
    pub(super) appender: Appender,
    /// Everything before this byte of the old file has been copied.
    copied: u64,
    /// The revision that the base holds.
    compacted: Revision,
}

impl Plan {
    /// A plan for the file of `state`, which is durable up to `end`.
    pub(super) fn new(state: &State, end: u64) -> Plan {
        let compacted = state.index.compacted();
        let begin = state.index.frames_after(compacted).next().map_or(end, |(_, place)| place.offset);
        let (source, base) = (Arc::clone(&state.file), state.index.base());
        Plan { source, compacted, base, history: begin..end }
    }
}

/// Writes the file at `target` by the plan. Gives up when `closing` is set.
pub(super) fn rewrite(plan: &Plan, target: &Path, closing: &AtomicBool) -> Result<Rewritten, StoreError> {
    let Plan { source, compacted, base, history } = plan;
    let header = Header { id: FileId::random(), compacted: *compacted, base: base.len() as u64 };
    let file = StoreFile::create(target, &source.path, &header, *compacted)
        .map_err(|problem| unavailable(target, "create", &problem))?;
    let mut buffer = Vec::new();
    let mut end = FIRST_FRAME;
    let mut write = |buffer: &mut Vec<u8>| {
        if closing.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("the store is closing".into()));
        }
        file.file.write_all_at(buffer, end).map_err(|problem| unavailable(target, "write", &problem))?;
        end += buffer.len() as u64;
        buffer.clear();
        Ok(end)
    };
    let mut records = base.iter().peekable();
    let mut offset = FIRST_FRAME;
    while records.peek().is_some() {
        let mut frame = FrameWriter::new(&mut buffer, offset, file.id);
        while frame.length() < BASE_FRAME_BYTES
            && let Some(place) = records.next()
        {
            let bytes = source.bytes(place.offset, place.length as usize)?;
            let (record, _) = Record::parse(&bytes, source.id, place.offset)
                .map_err(|problem| source.damaged(place.offset, problem))?;
            frame.record(record);
        }
        frame.finish(FrameKind::Base, *compacted, FIRST_FRAME);
        offset = write(&mut buffer)?;
    }
    let mut revision = *compacted;
    copy(source, history.clone(), *compacted, (file.id, offset), |copied, latest| {
        revision = latest;
        write(copied)
    })?;
    let mark = DurabilityMark { sequence: 1, end: FIRST_FRAME, revision: *compacted };
    Appender::new(end, mark).write_mark(&file, revision)?;
    drop(file);
    let (file, index, appender) = recover(target, &source.path)?;
    Ok(Rewritten { file, index, appender, copied: history.end, compacted: *compacted })
}

impl Rewritten {
    /// Adds what was committed to `source` since, up to `end`, and makes the new file durable.
    pub(super) fn catch_up(&mut self, source: &StoreFile, end: u64) -> Result<(), StoreError> {
        let begin = self.appender.end;
        let (file, appender) = (&self.file, &mut self.appender);
        copy(source, self.copied..end, self.compacted, (file.id, begin), |buffer, _| {
            appender.append(file, buffer)?;
            buffer.clear();
            Ok(appender.end)
        })?;
        let mut scan = Scan::new(&self.file, self.appender.end);
        let mut offset = begin;
        while offset < self.appender.end {
            let frame = scan.frame(offset).map_err(|problem| reading(&self.file, offset, problem))?;
            apply(&mut self.index, &frame).map_err(|problem| self.file.damaged(offset, problem))?;
            offset += u64::from(frame.place.length);
        }
        self.copied = end;
        self.appender.write_mark(&self.file, self.index.head())?;
        self.file.file.sync_all().map_err(|problem| self.file.failed("sync", &problem))
    }

    /// Checks that the new file matches `index` of the old one.
    pub(super) fn check(&self, index: &Index) -> Result<(), StoreError> {
        let summary = |index: &Index| (index.compacted(), index.head(), index.live());
        if summary(&self.index) == summary(index) {
            return Ok(());
        }
        Err(self.file.damaged(FIRST_FRAME, "the rewritten file differs from the old one"))
    }
}

/// Passes the frames of `history` in `source` to `write` in pieces, re-encoded for the id and offset of the target
/// file, each with the latest revision so far. `write` empties the piece and returns the offset of the next one.
/// Revisions that the base at `compacted` already holds are left out.
fn copy(
    source: &StoreFile,
    history: Range<u64>,
    compacted: Revision,
    (id, mut begin): (FileId, u64),
    mut write: impl FnMut(&mut Vec<u8>, Revision) -> Result<u64, StoreError>,
) -> Result<(), StoreError> {
    let mut scan = Scan::new(source, history.end);
    let mut offset = history.start;
    let mut latest = compacted;
    let mut piece = Vec::new();
    while offset < history.end {
        let frame = scan.frame(offset).map_err(|problem| reading(source, offset, problem))?;
        let header = frame.header;
        if header.kind != FrameKind::Base && header.revision > compacted {
            let mut copied = FrameWriter::new(&mut piece, begin, id);
            for (_, record) in &frame.records {
                copied.record(*record);
            }
            copied.finish(header.kind, header.revision, FIRST_FRAME);
            if header.kind == FrameKind::Commit {
                latest = header.revision;
            }
        }
        offset += u64::from(frame.place.length);
        if piece.len() >= PIECE_BYTES || (offset >= history.end && !piece.is_empty()) {
            begin = write(&mut piece, latest)?;
        }
    }
    Ok(())
}

fn reading(file: &StoreFile, offset: u64, problem: FrameProblem) -> StoreError {
    match problem {
        FrameProblem::Damaged(problem) => file.damaged(offset, problem),
        FrameProblem::Io(problem) => file.failed("read", &problem),
    }
}

/// How much of the base goes into one frame.
const BASE_FRAME_BYTES: usize = 256 * 1024;
/// How much of the history is written at once.
const PIECE_BYTES: usize = 1024 * 1024;
