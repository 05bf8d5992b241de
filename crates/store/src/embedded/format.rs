//! The binary format of the store file.
//!
//! ```text
//! byte 0      header   file type, format, id, base revision; written once, never changed
//! byte 4096   mark     the offset up to which the file is durable; the two marks are written
//! byte 8192   mark     alternately, so that one is always valid
//! byte 12288  frames   one after the other to the end of the file
//!
//! frame  = frame header, records       one committed transaction, or a part of the compacted base, or a compaction
//! record = record header, key, value, checksum
//! ```
//!
//! Numbers are little endian. Every checksum covers the file's random id and the offset of the bytes, so bytes from
//! another file or another offset are as invalid as damaged ones. This module does no file IO.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::checksum::Checksum;
use crate::Revision;

/// A random id, new for each file, also when a store is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId([u8; 16]);

/// The first bytes of the file. Later formats keep their layout, so that every version can recognize the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: FileId,
    /// The base frames hold the state at this revision.
    pub(super) compacted: Revision,
    /// How many records the base frames hold.
    pub(super) base: u64,
}

/// Why a file is not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeaderProblem {
    Foreign,
    Damaged,
    Newer(u32),
}

/// States that everything before `end` was durable before anything after it was acknowledged or begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DurabilityMark {
    /// Counts marks; even ones are at the first mark offset, odd ones at the second.
    pub(super) sequence: u64,
    pub(super) end: u64,
    /// The latest revision before `end`.
    pub(super) revision: Revision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// Keys as they were at the header's compacted revision.
    Base,
    /// One committed transaction.
    Commit,
    /// History up to the frame's revision is compacted. Has no records.
    Compact,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) kind: FrameKind,
    pub(super) records: u32,
    /// Bytes of all records.
    pub(super) length: u64,
    pub(super) revision: Revision,
    /// The offset of the first frame of the group that was synced together. All frames before it were durable by then.
    pub(super) group: u64,
}

/// One key's write in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) key: &'a [u8],
    /// None where the key was deleted.
    pub(super) value: Option<&'a [u8]>,
    pub(super) created: Revision,
    pub(super) modified: Revision,
}

/// The offset and length of a record or frame in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FilePosition {
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// Appends one frame to a buffer, record by record.
#[derive(Debug)]
pub(super) struct FrameWriter<'a> {
    buffer: &'a mut Vec<u8>,
    /// Where the frame begins in the buffer.
    begin: usize,
    /// Where the frame begins in the file.
    offset: u64,
    id: FileId,
    records: u32,
}

impl FileId {
    /// A new id. The hasher's keys are random, which is enough to distinguish files; the id is not secret.
    pub(super) fn random() -> FileId {
        let half = || RandomState::new().build_hasher().finish().to_le_bytes();
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(half().into_iter().chain(half())) {
            *to = from;
        }
        FileId(id)
    }

    fn checksum(self, offset: u64) -> Checksum {
        Checksum::new().add(&self.0).add(&offset.to_le_bytes())
    }
}

impl FilePosition {
    /// The offset after it.
    pub(super) fn end(self) -> u64 {
        self.offset + u64::from(self.length)
    }

    /// Whether reading through to `next`, a later position, is cheaper than a separate read. Positions in different
    /// blocks of [`NEAR_BLOCK_BYTES`] are never near, which bounds the size of one read.
    pub(super) fn is_near(self, next: FilePosition) -> bool {
        let same_block = self.offset / NEAR_BLOCK_BYTES == next.offset / NEAR_BLOCK_BYTES;
        same_block && next.offset.saturating_sub(self.end()) <= NEAR_BYTES
    }
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.id.0);
        bytes.extend(self.compacted.0.to_le_bytes());
        bytes.extend(self.base.to_le_bytes());
        let checksum = Checksum::new().add(&bytes).value();
        bytes.extend(checksum.to_le_bytes());
        bytes
    }

    pub(super) fn parse(mut bytes: &[u8]) -> Result<Header, HeaderProblem> {
        if !bytes.starts_with(MAGIC) {
            return Err(HeaderProblem::Foreign);
        }
        let checked = bytes.get(..HEADER_BYTES - 8).ok_or(HeaderProblem::Damaged)?;
        let expected = Checksum::new().add(checked).value();
        let mut parse = || {
            let _magic: [u8; 16] = take(&mut bytes)?;
            let format = u32::from_le_bytes(take(&mut bytes)?);
            let _reserved: [u8; 4] = take(&mut bytes)?;
            let id = FileId(take(&mut bytes)?);
            let header =
                Header { id, compacted: Revision(take_u64(&mut bytes)?), base: take_u64(&mut bytes)? };
            Some((format, header, take_u64(&mut bytes)?))
        };
        match parse().ok_or(HeaderProblem::Damaged)? {
            (_, _, checksum) if checksum != expected => Err(HeaderProblem::Damaged),
            (FORMAT, header, _) => Ok(header),
            (format, ..) => Err(HeaderProblem::Newer(format)),
        }
    }
}

impl DurabilityMark {
    /// The file offset of this mark.
    pub(super) fn offset(&self) -> u64 {
        if self.sequence.is_multiple_of(2) { FIRST_MARK } else { SECOND_MARK }
    }

    /// Two copies of the mark on two sectors, so that one survives damage to the other.
    pub(super) fn encode(&self, id: FileId) -> Vec<u8> {
        let mut bytes = self.sequence.to_le_bytes().to_vec();
        bytes.extend(self.end.to_le_bytes());
        bytes.extend(self.revision.0.to_le_bytes());
        let checksum = id.checksum(self.offset()).add(&bytes).value();
        bytes.extend(checksum.to_le_bytes());
        let copy = bytes.clone();
        bytes.resize(SECTOR_BYTES, 0);
        bytes.extend(copy);
        bytes
    }

    /// The mark at `offset`: the newer of its two copies. None if neither is whole.
    pub(super) fn parse(bytes: &[u8], id: FileId, offset: u64) -> Option<DurabilityMark> {
        let first = DurabilityMark::parse_copy(bytes, id, offset);
        let second = DurabilityMark::parse_copy(bytes.get(SECTOR_BYTES..)?, id, offset);
        first.into_iter().chain(second).max_by_key(|mark| mark.sequence)
    }

    fn parse_copy(mut bytes: &[u8], id: FileId, offset: u64) -> Option<DurabilityMark> {
        let checked = bytes.get(..COPY_BYTES - 8)?;
        let expected = id.checksum(offset).add(checked).value();
        let sequence = take_u64(&mut bytes)?;
        let mark = DurabilityMark {
            sequence,
            end: take_u64(&mut bytes)?,
            revision: Revision(take_u64(&mut bytes)?),
        };
        let whole = take_u64(&mut bytes)? == expected && mark.offset() == offset;
        whole.then_some(mark)
    }
}

impl FrameHeader {
    /// The frame header at `offset`; the error describes the damage.
    pub(super) fn parse(mut bytes: &[u8], id: FileId, offset: u64) -> Result<FrameHeader, &'static str> {
        if !bytes.starts_with(FRAME_MAGIC) {
            return Err("no frame begins here");
        }
        let checked = bytes.get(..FRAME_HEADER_BYTES - 8).ok_or(CUT)?;
        let expected = id.checksum(offset).add(checked).value();
        let mut parse = || {
            let _magic: [u8; 8] = take(&mut bytes)?;
            let kind = u32::from_le_bytes(take(&mut bytes)?);
            let records = u32::from_le_bytes(take(&mut bytes)?);
            let length = take_u64(&mut bytes)?;
            let revision = Revision(take_u64(&mut bytes)?);
            let group = take_u64(&mut bytes)?;
            let checksum = take_u64(&mut bytes)?;
            Some((checksum, kind, records, length, revision, group))
        };
        let (checksum, kind, records, length, revision, group) = parse().ok_or(CUT)?;
        if checksum != expected {
            return Err("a frame header fails its checksum");
        }
        let kind = FrameKind::from_number(kind).ok_or("a frame is of an unknown kind")?;
        Ok(FrameHeader { kind, records, length, revision, group })
    }

    /// The records of the frame that begins at `offset`, with their positions.
    pub(super) fn records<'a>(
        &self,
        mut bytes: &'a [u8],
        id: FileId,
        offset: u64,
    ) -> Result<Vec<(FilePosition, Record<'a>)>, &'static str> {
        let mut records = Vec::with_capacity(self.records.min(1024) as usize);
        let mut at = offset + FRAME_HEADER_BYTES as u64;
        for _ in 0..self.records {
            let (record, length) = Record::parse(bytes, id, at)?;
            records.push((FilePosition { offset: at, length: length as u32 }, record));
            bytes = bytes.get(length..).unwrap_or_default();
            at += length as u64;
        }
        if bytes.is_empty() { Ok(records) } else { Err("a frame holds more than its records") }
    }
}

impl FrameKind {
    fn number(self) -> u32 {
        match self {
            FrameKind::Base => 1,
            FrameKind::Commit => 2,
            FrameKind::Compact => 3,
        }
    }

    fn from_number(number: u32) -> Option<FrameKind> {
        [FrameKind::Base, FrameKind::Commit, FrameKind::Compact]
            .into_iter()
            .find(|kind| kind.number() == number)
    }
}

impl<'a> Record<'a> {
    /// The record at the beginning of `bytes`, read from `offset` in the file, and its length.
    pub(super) fn parse(
        bytes: &'a [u8],
        id: FileId,
        offset: u64,
    ) -> Result<(Record<'a>, usize), &'static str> {
        let mut rest = bytes;
        let mut parse = || {
            let [kind] = take(&mut rest)?;
            let key = u16::from_le_bytes(take(&mut rest)?);
            let value = u32::from_le_bytes(take(&mut rest)?);
            let created = Revision(take_u64(&mut rest)?);
            let modified = Revision(take_u64(&mut rest)?);
            let key = rest.split_off(..usize::from(key))?;
            let value = rest.split_off(..value as usize)?;
            let checked = bytes.get(..RECORD_HEADER_BYTES + key.len() + value.len())?;
            let whole = take_u64(&mut rest)? == id.checksum(offset).add(checked).value();
            let value = (kind == PUT).then_some(value);
            Some((Record { key, value, created, modified }, checked.len() + 8, whole))
        };
        match parse().ok_or("a record reaches beyond its frame")? {
            (record, length, true) => Ok((record, length)),
            _ => Err("a record fails its checksum"),
        }
    }
}

impl<'a> FrameWriter<'a> {
    /// A frame at the end of `buffer`, whose first byte is at `offset` in the file.
    pub(super) fn new(buffer: &'a mut Vec<u8>, offset: u64, id: FileId) -> FrameWriter<'a> {
        let begin = buffer.len();
        buffer.extend([0; FRAME_HEADER_BYTES]);
        FrameWriter { buffer, begin, offset: offset + begin as u64, id, records: 0 }
    }

    /// Adds a record. Keys and values are within [`crate::MAX_KEY_BYTES`] and [`crate::MAX_TXN_BYTES`].
    pub(super) fn record(&mut self, record: Record<'_>) -> FilePosition {
        let begin = self.buffer.len();
        let place = self.offset + (begin - self.begin) as u64;
        let value = record.value.unwrap_or_default();
        self.buffer.push(if record.value.is_some() { PUT } else { DELETE });
        self.buffer.extend((record.key.len() as u16).to_le_bytes());
        self.buffer.extend((value.len() as u32).to_le_bytes());
        self.buffer.extend(record.created.0.to_le_bytes());
        self.buffer.extend(record.modified.0.to_le_bytes());
        self.buffer.extend_from_slice(record.key);
        self.buffer.extend_from_slice(value);
        let checksum = self.id.checksum(place).add(self.buffer.get(begin..).unwrap_or_default()).value();
        self.buffer.extend(checksum.to_le_bytes());
        self.records += 1;
        FilePosition { offset: place, length: (self.buffer.len() - begin) as u32 }
    }

    /// Bytes of the frame so far.
    pub(super) fn length(&self) -> usize {
        self.buffer.len() - self.begin
    }

    /// Completes the frame. `group` is the file offset of its group.
    pub(super) fn finish(self, kind: FrameKind, revision: Revision, group: u64) -> FilePosition {
        let length = self.length();
        let mut header = FRAME_MAGIC.to_vec();
        header.extend(kind.number().to_le_bytes());
        header.extend(self.records.to_le_bytes());
        header.extend(((length - FRAME_HEADER_BYTES) as u64).to_le_bytes());
        header.extend(revision.0.to_le_bytes());
        header.extend(group.to_le_bytes());
        header.extend(self.id.checksum(self.offset).add(&header).value().to_le_bytes());
        for (to, from) in self.buffer.iter_mut().skip(self.begin).zip(header) {
            *to = from;
        }
        FilePosition { offset: self.offset, length: length as u32 }
    }

    /// Removes the frame from the buffer.
    pub(super) fn abandon(self) {
        self.buffer.truncate(self.begin);
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    take(bytes).map(u64::from_le_bytes)
}

pub(super) const HEADER_BYTES: usize = 64;
/// Both copies of a mark.
pub(super) const MARK_BYTES: usize = SECTOR_BYTES + COPY_BYTES;
pub(super) const FRAME_HEADER_BYTES: usize = 48;
/// Bytes of a record before its key.
const RECORD_HEADER_BYTES: usize = 23;
/// Each mark has its own page, so that writing one cannot damage other data.
pub(super) const FIRST_MARK: u64 = 4096;
pub(super) const SECOND_MARK: u64 = 8192;
/// Where the first frame begins.
pub(super) const FIRST_FRAME: u64 = 12288;
pub(super) const FRAME_MAGIC: &[u8; 8] = b"\xf7frame\r\n";
/// The most bytes of one append: the collected transactions and one more.
pub(super) const MOST_GROUP_BYTES: usize = 16 * 1024 * 1024;

/// The unit that a disk writes atomically.
const SECTOR_BYTES: usize = 512;
const COPY_BYTES: usize = 32;
/// The system reads at least a page anyway.
const NEAR_BYTES: u64 = 4096;
const NEAR_BLOCK_BYTES: u64 = 1024 * 1024;
/// The format version that is written, and the newest that is read.
const FORMAT: u32 = 1;
/// Binary, and changed by any line-ending conversion, like the PNG signature.
const MAGIC: &[u8; 16] = b"\x89Portcullis\r\n\x1a\n\0";
const DELETE: u8 = 0;
const PUT: u8 = 1;
const CUT: &str = "a frame header is cut off";
