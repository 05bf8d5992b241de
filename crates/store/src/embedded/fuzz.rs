//! Pieces of a store file with any content: they are read or refused, and what is read was written so. Whole files that
//! are damaged are tried in `tests/store/damage.rs`.

use super::format::{DurabilityMark, FileId, FrameHeader, FrameKind, FrameWriter, Header, Record};
use crate::Revision;

const OFFSET: u64 = super::format::FIRST_FRAME;

#[test]
fn frames_and_records() {
    let id = FileId::random();
    let mut written = Vec::new();
    let mut frame = FrameWriter::new(&mut written, OFFSET, id);
    for value in [Some(&b"value"[..]), None, Some(&[0; 300])] {
        frame.record(Record { key: b"/live/t/user/1", value, created: Revision(1), modified: Revision(2) });
    }
    frame.finish(FrameKind::Commit, Revision(2), OFFSET);
    let whole = written.clone();
    fuzzing::bytes(&[&whole], &["\u{7f}frame\r\n"], |input| {
        let header = match FrameHeader::parse(input, id, OFFSET) {
            Ok(header) => header,
            Err(problem) => return fuzzing::says_something(problem),
        };
        // Its checksum holds, so it is the header that was written.
        let body = input.get(super::format::FRAME_HEADER_BYTES..).unwrap_or_default();
        match header.records(body, id, OFFSET) {
            Ok(_) => assert_eq!(input, whole),
            Err(problem) => fuzzing::says_something(problem),
        }
    });
}

#[test]
fn heads_and_marks() {
    let id = FileId::random();
    let head = vec![0; 4096];
    fuzzing::bytes(&[&head, b"\x89Portcullis\r\n\x1a\n\0\x01\0\0\0"], &[], |input| {
        assert!(Header::parse(input).is_err());
        assert_eq!(DurabilityMark::parse(input, id, super::format::FIRST_MARK), None);
    });
}
