//! Opens a store file: reads and verifies all of it and builds the index.
//!
//! ```text
//! header ── marks ── frames before the mark ──────────── frames after the mark ─── end of file
//!                    acknowledged: each must be whole,    perhaps acknowledged: taken as far as
//!                    or the file is refused               they are whole, the torn rest is cut off
//! ```
//!
//! A mark says up to which offset the file was durable. A group is the frames that were written and synced together.
//! Killing the process loses no write that reached the kernel, so the mark covers every acknowledged frame. After a power
//! loss the newest mark may be lost, because only the sync of the next group makes it durable; the frames that it would
//! have covered are still whole, for they were synced before they were acknowledged. A group begins only after the one
//! before it was synced: if a later group has begun, a damaged frame before it is damage, not an interrupted write. So a torn frame is truncated only where it cannot have been acknowledged; everywhere else it is damage.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::file::{Appender, Frame, FrameProblem, Scan, StoreFile, corrupt, read_head, unavailable};
use super::format::{
    DurabilityMark, FIRST_FRAME, FIRST_MARK, FRAME_HEADER_BYTES, FRAME_MAGIC, FrameHeader, FrameKind, Header,
    HeaderProblem, MOST_GROUP_BYTES, SECOND_MARK,
};
use super::index::Index;
use crate::StoreError;

/// Opens the store file at `path`. `name` is the path shown in errors: another one while a rewritten file is
/// verified under its temporary name.
pub(super) fn recover(path: &Path, name: &Path) -> Result<(StoreFile, Index, Appender), StoreError> {
    let is_file = fs::metadata(path).map_err(|problem| unavailable(name, "open", &problem))?.is_file();
    if !is_file {
        return Err(corrupt(name, 0, "expected a file"));
    }
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.map_err(|problem| unavailable(name, "open", &problem))?;
    let (head, marks) = read_head(&file, name)?;
    let header = parse_header(&head, name)?;
    let file = StoreFile { file, path: name.into(), id: header.id };
    let length = file.file.metadata().map_err(|problem| file.failed("read", &problem))?.len();
    let mark = newest_mark(&file, &marks)?;
    if mark.end > length {
        let end = mark.end;
        return Err(file.damaged(length, format!("the file is cut off here, expected {end} bytes")));
    }
    let (index, end) = replay(&file, &header, mark, length)?;
    if end < length {
        check_tail(&file, end, length)?;
        tracing::info!(file = %name.display(), offset = end, bytes = length - end, "cut off a write that was not acknowledged");
        file.file.set_len(end).map_err(|problem| file.failed("cut off an incomplete write of", &problem))?;
    }
    // The data read may not be durable yet: the process that wrote it may have been killed before its sync returned.
    let mut appender = Appender::new(end, mark);
    file.file.sync_data().map_err(|problem| file.failed("sync", &problem))?;
    appender.write_mark(&file, index.head())?;
    file.file.sync_data().map_err(|problem| file.failed("sync", &problem))?;
    Ok((file, index, appender))
}

/// Applies one frame to the index; the error describes an inconsistent frame.
pub(super) fn apply(index: &mut Index, frame: &Frame<'_>) -> Result<(), &'static str> {
    if !frame.is_consistent() {
        return Err("a frame contradicts its records");
    }
    let revision = frame.header.revision;
    match frame.header.kind {
        FrameKind::Base if index.head() == index.compacted() && revision == index.compacted() => {
            for (key, version) in frame.versions() {
                index.add_base(key, version);
            }
        }
        FrameKind::Commit if revision == index.head().next() => index.commit(frame.place, frame.versions()),
        FrameKind::Compact if revision <= index.head() => index.forget(revision),
        FrameKind::Base | FrameKind::Commit | FrameKind::Compact => {
            return Err("a frame is not the next one");
        }
    }
    Ok(())
}

fn parse_header(bytes: &[u8], name: &Path) -> Result<Header, StoreError> {
    Header::parse(bytes).map_err(|problem| match problem {
        HeaderProblem::Foreign if bytes.is_empty() => corrupt(name, 0, "the file is empty, expected a store"),
        HeaderProblem::Foreign => {
            let begin: Vec<u8> = bytes.iter().copied().take(16).collect();
            corrupt(name, 0, format!("not a store: it begins with \"{}\"", begin.escape_ascii()))
        }
        HeaderProblem::Damaged => corrupt(name, 0, "the header fails its checksum"),
        HeaderProblem::Newer(format) => StoreError::Unavailable(format!(
            "{} has format {format}, which is newer than this version of the program reads",
            name.display()
        )),
    })
}

/// The newer of the two marks. Both must be whole, because a lost one may have been the newer.
fn newest_mark(file: &StoreFile, [first, second]: &[Vec<u8>; 2]) -> Result<DurabilityMark, StoreError> {
    let mark = |bytes: &[u8], offset| {
        DurabilityMark::parse(bytes, file.id, offset)
            .ok_or_else(|| file.damaged(offset, "a mark fails its checksum"))
    };
    let (first, second) = (mark(first, FIRST_MARK)?, mark(second, SECOND_MARK)?);
    Ok(if first.sequence > second.sequence { first } else { second })
}

/// The index of all complete frames, and the offset after the last of them.
fn replay(
    file: &StoreFile,
    header: &Header,
    mark: DurabilityMark,
    length: u64,
) -> Result<(Index, u64), StoreError> {
    let mut index = Index::new(header.compacted);
    let mut scan = Scan::new(file, length);
    let mut offset = FIRST_FRAME;
    let mut base = 0;
    let mut revision_at_mark = (mark.end == FIRST_FRAME).then_some(header.compacted);
    while offset < length {
        let frame = match scan.frame(offset) {
            Ok(frame) => frame,
            Err(FrameProblem::Io(problem)) => return Err(file.failed("read", &problem)),
            Err(FrameProblem::Damaged(problem)) if offset < mark.end => {
                return Err(file.damaged(offset, problem));
            }
            Err(FrameProblem::Damaged(_)) => break,
        };
        apply(&mut index, &frame).map_err(|problem| file.damaged(offset, problem))?;
        if frame.header.kind == FrameKind::Base {
            base += frame.records.len() as u64;
        }
        offset += u64::from(frame.place.length);
        if offset == mark.end {
            revision_at_mark = Some(index.head());
        }
    }
    if revision_at_mark != Some(mark.revision) {
        return Err(file.damaged(mark.end, format!("expected revision {} to end here", mark.revision)));
    }
    if base != header.base {
        return Err(file.damaged(FIRST_FRAME, format!("{base} base records, expected {}", header.base)));
    }
    Ok((index, offset))
}

/// Checks that the bytes after `end` can be an interrupted append. They cannot if a later group has begun: then the
/// frame at `end` was durable once.
fn check_tail(file: &StoreFile, end: u64, length: u64) -> Result<(), StoreError> {
    // A group is smaller than this; a longer tail is damage.
    let bytes = usize::try_from(length - end).ok().filter(|bytes| *bytes <= MOST_GROUP_BYTES);
    let bytes = bytes.ok_or_else(|| file.damaged(end, "what follows is too long for an incomplete write"))?;
    let mut tail = vec![0; bytes];
    file.file.read_exact_at(&mut tail, end).map_err(|problem| file.failed("read", &problem))?;
    for skipped in memchr::memmem::find_iter(&tail, FRAME_MAGIC) {
        let Some(window) = tail.get(skipped..skipped.saturating_add(FRAME_HEADER_BYTES)) else { break };
        let offset = end + skipped as u64;
        if FrameHeader::parse(window, file.id, offset).is_ok_and(|header| header.group > end) {
            return Err(
                file.damaged(end, format!("a damaged frame, though a later one is whole at byte {offset}"))
            );
        }
    }
    Ok(())
}
