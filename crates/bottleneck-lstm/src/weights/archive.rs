//! Reading a zip archive whose entries are stored, not compressed.
//!
//! That is all that PyTorch writes, and it lets tensors be read in place. The `zip` crate serves
//! archives of every kind, and for that it trusts the entry count of a damaged archive with an
//! allocation of 300 bytes an entry, and looks for the directory in many places. Here the
//! directory has one place, each number in it is checked against the length of the file, and
//! entries that overlap are an error, as is one whose checksum does not match.

use std::collections::BTreeMap;
use std::ops::Range;

use super::error::WeightsError;

const LOCAL_HEADER: &[u8; 4] = b"PK\x03\x04";
const CENTRAL_HEADER: &[u8; 4] = b"PK\x01\x02";
const END: &[u8; 4] = b"PK\x05\x06";
const ZIP64_LOCATOR: &[u8; 4] = b"PK\x06\x07";
const ZIP64_END: &[u8; 4] = b"PK\x06\x06";

/// Bytes of the end record without its comment.
const END_LENGTH: usize = 22;
/// Bytes of the record that says where the 64-bit end record is.
const ZIP64_LOCATOR_LENGTH: usize = 20;
/// The tag of the extra field with 64-bit sizes.
const ZIP64_EXTRA: u64 = 1;

/// The entries of an archive.
pub(super) struct Archive<'a> {
    file: &'a [u8],
    entries: BTreeMap<&'a str, Entry>,
}

struct Entry {
    data: Range<usize>,
    crc32: u32,
}

/// Whether a file begins like a zip archive.
pub(super) fn detect(file: &[u8]) -> bool {
    file.starts_with(LOCAL_HEADER)
}

impl<'a> Archive<'a> {
    /// Reads the directory.
    pub fn open(file: &'a [u8]) -> Result<Self, WeightsError> {
        let Directory {
            mut at,
            entries: count,
        } = Directory::find(file)?;
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let (name, entry) = central_header(file, &mut at)?;
            if entries.insert(name, entry).is_some() {
                return Err(malformed(
                    &format!("entry `{name}`"),
                    "one such entry",
                    "another",
                ));
            }
        }
        let mut ranges: Vec<_> = entries.values().map(|entry| entry.data.clone()).collect();
        ranges.sort_by_key(|range| (range.start, range.end));
        if let Some(pair) = ranges.windows(2).find(|pair| pair[0].end > pair[1].start) {
            return Err(malformed(
                "the archive",
                "entries apart",
                &format!("overlap {pair:?}"),
            ));
        }
        Ok(Self { file, entries })
    }

    /// The names of all entries.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.entries.keys().copied()
    }

    /// Where an entry's data lies, after a look at its checksum.
    pub fn find(&self, name: &str) -> Result<Option<Range<usize>>, WeightsError> {
        let Some(Entry { data, crc32 }) = self.entries.get(name) else {
            return Ok(None);
        };
        let found = crc32fast::hash(&self.file[data.clone()]);
        if found != *crc32 {
            return Err(malformed(
                &format!("entry `{name}`"),
                &format!("checksum {crc32:08x}"),
                &format!("{found:08x}"),
            ));
        }
        Ok(Some(data.clone()))
    }
}

/// Where the directory starts, and how many entries it has.
struct Directory {
    at: usize,
    entries: u64,
}

impl Directory {
    fn find(file: &[u8]) -> Result<Self, WeightsError> {
        let at = (END_LENGTH..=END_LENGTH + usize::from(u16::MAX))
            .map_while(|length| file.len().checked_sub(length))
            .find(|at| {
                // The comment reaches to the end of the file.
                record(file, *at, END)
                    .is_some_and(|end| number(end, 20, 2) == Some((end.len() - END_LENGTH) as u64))
            })
            .ok_or_else(|| malformed("the archive", "an end record", "none"))?;
        let end = &file[at..];
        let (mut entries, mut start) = (field(end, 10, 2)?, field(end, 16, 4)?);
        if entries == u64::from(u16::MAX) || start == u64::from(u32::MAX) {
            let locator = at
                .checked_sub(ZIP64_LOCATOR_LENGTH)
                .and_then(|at| record(file, at, ZIP64_LOCATOR))
                .ok_or_else(|| malformed("the archive", "a zip64 locator", "none"))?;
            let end = usize::try_from(field(locator, 8, 8)?)
                .ok()
                .and_then(|at| record(file, at, ZIP64_END))
                .ok_or_else(|| malformed("the archive", "a zip64 end record", "none"))?;
            (entries, start) = (field(end, 32, 8)?, field(end, 48, 8)?);
        }
        let at = usize::try_from(start).unwrap_or(usize::MAX);
        Ok(Self { at, entries })
    }
}

/// Reads the directory's header at `at`, and moves `at` to the next one.
fn central_header<'a>(file: &'a [u8], at: &mut usize) -> Result<(&'a str, Entry), WeightsError> {
    let place = format!("byte {at} of the archive");
    let header = record(file, *at, CENTRAL_HEADER)
        .ok_or_else(|| malformed(&place, "a directory entry", "none"))?;
    let [name, extra, comment] = [28, 30, 32].map(|at| number(header, at, 2).unwrap_or(0) as usize);
    let length = 46 + name + extra + comment;
    let header = header
        .get(..length)
        .ok_or_else(|| malformed(&place, "a directory entry", "its start"))?;
    *at += length;
    let name = std::str::from_utf8(&header[46..46 + name])
        .map_err(|_| malformed(&place, "a name in UTF-8", "other bytes"))?;
    let extra = &header[46 + name.len()..][..extra];

    let place = format!("entry `{name}`");
    let mut wide = Wide {
        extra: zip64_extra(extra),
    };
    let size = wide.or(field(header, 24, 4)?)?;
    let stored_size = wide.or(field(header, 20, 4)?)?;
    let local = wide.or(field(header, 42, 4)?)?;
    let (flags, method) = (field(header, 8, 2)?, field(header, 10, 2)?);
    if flags & 1 != 0 || method != 0 || size != stored_size {
        return Err(malformed(
            &place,
            "stored without compression or encryption",
            &format!("method {method}, flags {flags:#x}, {stored_size} bytes for {size}"),
        ));
    }
    let data = usize::try_from(local)
        .ok()
        .and_then(|local| local_data(file, local, name, usize::try_from(size).ok()?))
        .ok_or_else(|| {
            let range = format!("{size} bytes after a header at byte {local}");
            malformed(
                &place,
                "a header of that name and its data within the file",
                &range,
            )
        })?;
    Ok((
        name,
        Entry {
            data,
            crc32: field(header, 16, 4)? as u32,
        },
    ))
}

/// Where the data of the entry with its own header at `local` lies.
fn local_data(file: &[u8], local: usize, name: &str, size: usize) -> Option<Range<usize>> {
    let header = record(file, local, LOCAL_HEADER)?;
    let name_length = number(header, 26, 2)? as usize;
    let extra_length = number(header, 28, 2)? as usize;
    if header.get(30..30 + name_length)? != name.as_bytes() {
        return None;
    }
    let start = local.checked_add(30 + name_length + extra_length)?;
    let end = start.checked_add(size)?;
    (end <= file.len()).then_some(start..end)
}

/// The 64-bit numbers that stand in for 32-bit ones of all ones, in their order.
struct Wide<'a> {
    extra: &'a [u8],
}

impl Wide<'_> {
    fn or(&mut self, narrow: u64) -> Result<u64, WeightsError> {
        if narrow != u64::from(u32::MAX) {
            return Ok(narrow);
        }
        let wide = field(self.extra, 0, 8)?;
        self.extra = &self.extra[8..];
        Ok(wide)
    }
}

fn zip64_extra(mut extra: &[u8]) -> &[u8] {
    while let (Some(tag), Some(length)) = (number(extra, 0, 2), number(extra, 2, 2)) {
        let Some((field, rest)) = extra[4..].split_at_checked(length as usize) else {
            break;
        };
        if tag == ZIP64_EXTRA {
            return field;
        }
        extra = rest;
    }
    &[]
}

/// The file from `at` on, if a record with `signature` is there.
fn record<'a>(file: &'a [u8], at: usize, signature: &[u8; 4]) -> Option<&'a [u8]> {
    file.get(at..).filter(|rest| rest.starts_with(signature))
}

/// The little-endian number of `width` bytes at `at`.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + width)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

fn field(bytes: &[u8], at: usize, width: usize) -> Result<u64, WeightsError> {
    number(bytes, at, width)
        .ok_or_else(|| malformed("the archive", "a whole record", "the end of the file"))
}

fn malformed(at: &str, expected: &str, found: &str) -> WeightsError {
    WeightsError::pytorch(at, expected, found)
}
