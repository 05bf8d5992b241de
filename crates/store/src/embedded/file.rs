//! The store file on disk: creating, reading, appending.
//!
//! Every holder of a [`StoreFile`] may read it; only the single [`Appender`] writes. Data read from disk is verified
//! each time; a mismatch is `Corrupt` with the file and the byte.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::format::{
    DurabilityMark, FIRST_FRAME, FIRST_MARK, FRAME_HEADER_BYTES, FileId, FilePosition, FrameHeader,
    FrameKind, HEADER_BYTES, Header, MARK_BYTES, Record, SECOND_MARK,
};
use super::index::Version;
use crate::{Batch, Change, Entry, Event, Key, Revision, StoreError};

/// A store file that is open.
#[derive(Debug)]
pub(super) struct StoreFile {
    pub(super) file: File,
    /// The file's name for messages; a rewritten file already has it while it is written under another name.
    pub(super) path: PathBuf,
    pub(super) id: FileId,
}

/// The end of a store file, where the one writer appends.
#[derive(Debug)]
pub(super) struct Appender {
    /// The offset of the next frame; everything before is durable.
    pub(super) end: u64,
    pub(super) mark: DurabilityMark,
    /// Whether a failed append may have left bytes after `end`.
    torn: bool,
}

/// A frame with its records, as read.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) place: FilePosition,
    pub(super) header: FrameHeader,
    pub(super) records: Vec<(FilePosition, Record<'a>)>,
}

/// Reads frames one after the other, through a buffer.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    file: &'a StoreFile,
    /// The end of the file, or the offset where reading stops.
    end: u64,
    buffer: Vec<u8>,
    /// The file offset of the buffer's first byte.
    begin: u64,
}

/// Why there is no frame where one was expected.
#[derive(Debug)]
pub(super) enum FrameProblem {
    Damaged(&'static str),
    Io(io::Error),
}

impl StoreFile {
    /// Creates a file at `path`, replacing any existing one, with only a header and two marks. `name` is its later
    /// name. Readable and writable by its owner alone.
    pub(super) fn create(
        path: &Path,
        name: &Path,
        header: &Header,
        revision: Revision,
    ) -> io::Result<StoreFile> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all_at(&header.encode(), 0)?;
        for sequence in [0, 1] {
            let mark = DurabilityMark { sequence, end: FIRST_FRAME, revision };
            file.write_all_at(&mark.encode(header.id), mark.offset())?;
        }
        file.set_len(FIRST_FRAME)?;
        Ok(StoreFile { file, path: name.into(), id: header.id })
    }

    /// The entries of these existing versions, in the same order. Records near each other are read together.
    pub(super) fn entries(&self, found: Vec<(Key, Version)>) -> Result<Vec<Entry>, StoreError> {
        let mut places: Vec<(FilePosition, usize)> =
            found.iter().enumerate().map(|(position, (_, version))| (version.place, position)).collect();
        places.sort_unstable_by_key(|(place, _)| place.offset);
        let entry = |(key, version): (Key, Version)| {
            let Version { created, modified, .. } = version;
            Entry { key, value: Bytes::new(), created, modified }
        };
        let mut entries: Vec<Entry> = found.into_iter().map(entry).collect();
        for run in places.chunk_by(|(before, _), (next, _)| before.is_near(*next)) {
            let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else { continue };
            let bytes = self.bytes(first.offset, (last.end() - first.offset) as usize)?;
            for (place, position) in run {
                if let Some(entry) = entries.get_mut(*position) {
                    let from = (place.offset - first.offset) as usize;
                    entry.value = self.value(bytes.get(from..).unwrap_or_default(), place.offset, entry)?;
                }
            }
        }
        Ok(entries)
    }

    /// The value in `bytes`, which begin with the record of `entry` at `offset`.
    fn value(&self, bytes: &[u8], offset: u64, entry: &Entry) -> Result<Bytes, StoreError> {
        let key = entry.key.escape_ascii();
        let (record, _) = Record::parse(bytes, self.id, offset)
            .map_err(|problem| self.damaged(offset, format!("{problem} (key {key})")))?;
        match record.value {
            // A copy, so that the larger buffer it was read with can be freed.
            Some(value) if record.key == entry.key && record.modified == entry.modified => {
                Ok(Bytes::copy_from_slice(value))
            }
            _ => Err(self.damaged(offset, format!("expected key {key}"))),
        }
    }

    /// The batch of the commit frame at `place`.
    pub(super) fn batch(&self, place: FilePosition) -> Result<Batch, StoreError> {
        let FilePosition { offset, length } = place;
        let bytes = self.bytes(offset, length as usize)?;
        let frame = Frame::parse(&bytes, self.id, offset).map_err(|problem| self.damaged(offset, problem))?;
        let event = |(_, record): &(FilePosition, Record<'_>)| Event {
            key: Key::copy_from_slice(record.key),
            change: record.value.map_or(Change::Delete, |value| Change::Put(Bytes::copy_from_slice(value))),
        };
        Ok(Batch { revision: frame.header.revision, events: frame.records.iter().map(event).collect() })
    }

    /// The bytes at a position from the index.
    pub(super) fn bytes(&self, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; length];
        match self.file.read_exact_at(&mut bytes, offset) {
            Ok(()) => Ok(bytes),
            Err(problem) if problem.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.damaged(offset, "the file ends before"))
            }
            Err(problem) => Err(self.failed("read", &problem)),
        }
    }

    /// `Corrupt` at a byte of this file.
    pub(super) fn damaged(&self, offset: u64, problem: impl Into<String>) -> StoreError {
        corrupt(&self.path, offset, problem)
    }

    /// `Unavailable` because the system refused to `action` this file.
    pub(super) fn failed(&self, action: &str, problem: &io::Error) -> StoreError {
        unavailable(&self.path, action, problem)
    }
}

impl Appender {
    /// Appends at `end`; the newest mark may be before it.
    pub(super) fn new(end: u64, mark: DurabilityMark) -> Appender {
        Appender { end, mark, torn: false }
    }

    /// Makes `bytes` durable at the end of the file, or leaves the file as it was.
    pub(super) fn append(&mut self, file: &StoreFile, bytes: &[u8]) -> Result<(), StoreError> {
        self.repair(file)?;
        self.torn = true;
        let written = file.file.write_all_at(bytes, self.end).and_then(|()| file.file.sync_data());
        if let Err(problem) = written {
            // Truncate a partial write; if that fails too, the next append retries it first.
            let _ = self.repair(file);
            return Err(file.failed("write", &problem));
        }
        self.torn = false;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Records that everything before `end` is durable. Not itself made durable: the next sync does that.
    pub(super) fn write_mark(&mut self, file: &StoreFile, revision: Revision) -> Result<(), StoreError> {
        let mark = DurabilityMark { sequence: self.mark.sequence + 1, end: self.end, revision };
        file.file
            .write_all_at(&mark.encode(file.id), mark.offset())
            .map_err(|problem| file.failed("write", &problem))?;
        self.mark = mark;
        Ok(())
    }

    fn repair(&mut self, file: &StoreFile) -> Result<(), StoreError> {
        if self.torn {
            let cut = file.file.set_len(self.end).and_then(|()| file.file.sync_data());
            cut.map_err(|problem| file.failed("cut off a failed write of", &problem))?;
            self.torn = false;
        }
        Ok(())
    }
}

impl<'a> Frame<'a> {
    /// The frame that fills `bytes`, read from `offset`.
    fn parse(bytes: &'a [u8], id: FileId, offset: u64) -> Result<Frame<'a>, &'static str> {
        let header = FrameHeader::parse(bytes, id, offset)?;
        let records = header.records(bytes.get(FRAME_HEADER_BYTES..).unwrap_or_default(), id, offset)?;
        Ok(Frame { place: FilePosition { offset, length: bytes.len() as u32 }, header, records })
    }

    /// The frame's keys with their versions, as the index takes them.
    pub(super) fn versions(&self) -> Vec<(Key, Version)> {
        let version = |(place, record): &(FilePosition, Record<'_>)| {
            let Record { key, value, created, modified } = *record;
            (
                Key::copy_from_slice(key),
                Version { created, modified, deleted: value.is_none(), place: *place },
            )
        };
        self.records.iter().map(version).collect()
    }

    /// Whether the records agree with the frame header.
    pub(super) fn is_consistent(&self) -> bool {
        let FrameHeader { kind, revision, .. } = self.header;
        self.records.iter().all(|(_, record)| {
            let modified = match kind {
                FrameKind::Base => record.modified <= revision && record.value.is_some(),
                FrameKind::Commit => record.modified == revision,
                FrameKind::Compact => false,
            };
            modified && record.created <= record.modified && !record.key.is_empty()
        })
    }
}

impl<'a> Scan<'a> {
    /// Frames of `file` that end at or before `end`.
    pub(super) fn new(file: &'a StoreFile, end: u64) -> Scan<'a> {
        Scan { file, end, buffer: Vec::new(), begin: 0 }
    }

    /// The frame at `offset`.
    pub(super) fn frame(&mut self, offset: u64) -> Result<Frame<'_>, FrameProblem> {
        let id = self.file.id;
        let header = self.bytes(offset, FRAME_HEADER_BYTES as u64)?;
        let header = FrameHeader::parse(header, id, offset).map_err(FrameProblem::Damaged)?;
        let bytes = self.bytes(offset, (FRAME_HEADER_BYTES as u64).saturating_add(header.length))?;
        Frame::parse(bytes, id, offset).map_err(FrameProblem::Damaged)
    }

    fn bytes(&mut self, offset: u64, length: u64) -> Result<&[u8], FrameProblem> {
        // Compared without adding: a damaged length could overflow.
        if offset > self.end || length > self.end - offset || length > u64::from(u32::MAX) {
            return Err(FrameProblem::Damaged("a frame reaches beyond the end of the file"));
        }
        let buffered = self.begin..self.begin + self.buffer.len() as u64;
        if !(buffered.contains(&offset) && offset + length <= buffered.end) {
            self.buffer.resize(length.max(READ_BYTES).min(self.end - offset) as usize, 0);
            self.begin = offset;
            self.file.file.read_exact_at(&mut self.buffer, offset).map_err(FrameProblem::Io)?;
        }
        let from = (offset - self.begin) as usize;
        Ok(self.buffer.get(from..from + length as usize).unwrap_or_default())
    }
}

/// The bytes of the header and of the two marks of the file at `path`, as many as there are.
pub(super) fn read_head(file: &File, path: &Path) -> Result<(Vec<u8>, [Vec<u8>; 2]), StoreError> {
    let read = |offset: u64, length: usize| {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(problem) if problem.kind() == io::ErrorKind::Interrupted => {}
                Err(problem) => return Err(unavailable(path, "read", &problem)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    };
    Ok((read(0, HEADER_BYTES)?, [read(FIRST_MARK, MARK_BYTES)?, read(SECOND_MARK, MARK_BYTES)?]))
}

/// `Corrupt` at a byte of the file at `path`.
pub(super) fn corrupt(path: &Path, offset: u64, problem: impl Into<String>) -> StoreError {
    StoreError::Corrupt { place: format!("{} at byte {offset}", path.display()), problem: problem.into() }
}

/// `Unavailable`, or `Full`, because the system refused to `action` the file at `path`.
pub(super) fn unavailable(path: &Path, action: &str, problem: &io::Error) -> StoreError {
    let text = format!("cannot {action} {}: {problem}", path.display());
    match problem.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::Full(text)
        }
        _ => StoreError::Unavailable(text),
    }
}

/// The read size of a sequential scan.
const READ_BYTES: u64 = 1024 * 1024;
