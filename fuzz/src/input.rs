//! Inputs by their structure, so that damage reaches what lies behind lengths and checksums.

use crate::mutate::mutate;
use crate::random::Random;

/// A file in parts.
#[derive(Clone)]
pub enum Input {
    /// As it is.
    Raw(Vec<u8>),
    /// The header and the data of a safetensors file. The length is made to fit.
    SafeTensors(Vec<u8>, Vec<u8>),
    /// The entries of an archive. Directory and checksums are made to fit, but for one entry that
    /// may lie about its size.
    Archive {
        /// Names and contents.
        entries: Vec<(String, Vec<u8>)>,
        /// The number of an entry, and the size that it claims.
        lie: Option<(usize, u32)>,
    },
}

const SAFETENSORS_TOKENS: [&[u8]; 20] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\"\":",
    b"-",
    b"1e9",
    b"null",
    b"\\u0000",
    b"\"__metadata__\":{\"a\":\"b\"},",
    b"\"dtype\":\"F64\"",
    b"\"dtype\":\"I64\"",
    b"\"dtype\":\"F4\"",
    b"\"shape\":[]",
    b"\"shape\":[0,18446744073709551615]",
    b"\"data_offsets\":[0,0]",
    b"\"data_offsets\":[0,18446744073709551615]",
];

const PICKLE_TOKENS: [&[u8]; 40] = [
    b".",
    b"N",
    b"0",
    b")",
    b"]",
    b"}",
    b"(",
    b"t",
    b"s",
    b"u",
    b"a",
    b"e",
    b"R",
    b"b",
    b"Q",
    b"\x85",
    b"\x86",
    b"\x87",
    b"\x88",
    b"\x8f",
    b"\x90",
    b"\x93",
    b"\x94",
    b"h\x01",
    b"q\x00",
    b"j\x00\x00\x01\x00",
    b"r\xff\xff\xff\xff",
    b"K\x00",
    b"J\xff\xff\xff\xff",
    b"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x10",
    b"X\x01\x00\x00\x00a",
    b"X\xff\xff\xff\x7f",
    b"ccollections\nOrderedDict\n",
    b"ctorch\nFloatStorage\n",
    b"ctorch\nUntypedStorage\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_tensor_v3\n",
    b"ctorch\nfloat64\n",
    b"cos\nsystem\n",
    b"PK\x01\x02",
];

impl Input {
    /// The forms of a file in which it is worth damaging.
    pub fn forms(file: &[u8]) -> Vec<Self> {
        let mut forms = vec![Self::Raw(file.to_vec())];
        if let Some((length, rest)) = file.split_first_chunk::<8>()
            && let Ok(length) = usize::try_from(u64::from_le_bytes(*length))
            && let Some((header, data)) = rest.split_at_checked(length)
        {
            forms.push(Self::SafeTensors(header.to_vec(), data.to_vec()));
        }
        if let Some(entries) = entries(file) {
            forms.push(Self::Archive { entries, lie: None });
        }
        forms
    }

    /// The same input, damaged.
    pub fn mutated(&self, random: &mut Random, other: &Self) -> Self {
        let mut input = self.clone();
        match &mut input {
            Self::Raw(bytes) => {
                let tokens = if bytes.get(8) == Some(&b'{') {
                    &SAFETENSORS_TOKENS[..]
                } else {
                    &PICKLE_TOKENS[..]
                };
                mutate(bytes, random, tokens, &other.render());
            }
            Self::SafeTensors(header, data) => {
                let spliced = match other {
                    Self::SafeTensors(header, _) => header,
                    _ => &header.clone(),
                };
                mutate(header, random, &SAFETENSORS_TOKENS, spliced);
                if random.below(4) == 0 {
                    mutate(data, random, &SAFETENSORS_TOKENS, &[]);
                }
            }
            Self::Archive { entries, lie } if !entries.is_empty() => {
                if random.below(16) == 0 {
                    *lie = Some((
                        random.below(entries.len()),
                        random.bits() as u32 >> random.below(32),
                    ));
                    return input;
                }
                // The pickle is where the machine is; the others are mere bytes.
                let pickle = entries
                    .iter()
                    .position(|(name, _)| name.ends_with("data.pkl"));
                let at = match pickle {
                    Some(at) if random.below(8) > 0 => at,
                    _ => random.below(entries.len()),
                };
                let spliced = match other {
                    Self::Archive { entries, .. } if !entries.is_empty() => {
                        random.pick(entries).1.clone()
                    }
                    _ => Vec::new(),
                };
                mutate(&mut entries[at].1, random, &PICKLE_TOKENS, &spliced);
            }
            Self::Archive { .. } => {}
        }
        input
    }

    /// The file.
    pub fn render(&self) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => bytes.clone(),
            Self::SafeTensors(header, data) => {
                [&(header.len() as u64).to_le_bytes()[..], header, data].concat()
            }
            Self::Archive { entries, lie } => archive(entries, *lie),
        }
    }
}

/// An archive of stored entries, one of which may claim another size than it has.
fn archive(entries: &[(String, Vec<u8>)], lie: Option<(usize, u32)>) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (number, (name, data)) in entries.iter().enumerate() {
        let place = file.len() as u32;
        let size = match lie {
            Some((liar, size)) if liar == number => size.to_le_bytes(),
            _ => (data.len() as u32).to_le_bytes(),
        };
        let common = [
            &[0; 8][..],
            &crc32fast::hash(data).to_le_bytes(),
            &size,
            &size,
            &(name.len() as u16).to_le_bytes(),
            &[0; 2],
        ]
        .concat();
        file.extend([b"PK\x03\x04\0\0", &common[..], name.as_bytes(), data].concat());
        let rest = [&[0; 10][..], &place.to_le_bytes(), name.as_bytes()].concat();
        directory.extend([b"PK\x01\x02\0\0\0\0", &common[..], &rest].concat());
    }
    let place = (file.len() as u32).to_le_bytes();
    let size = (directory.len() as u32).to_le_bytes();
    let count = (entries.len() as u16).to_le_bytes();
    file.extend(directory);
    file.extend(
        [
            b"PK\x05\x06\0\0\0\0",
            &count[..],
            &count,
            &size,
            &place,
            &[0; 2],
        ]
        .concat(),
    );
    file
}

/// The entries of a whole archive as PyTorch writes it, found by their directory.
fn entries(file: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let number = |at: usize, width: usize| {
        let bytes = file.get(at..at + width)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |number, byte| number << 8 | usize::from(*byte)),
        )
    };
    let end = file.len().checked_sub(22)?;
    if !file[end..].starts_with(b"PK\x05\x06") {
        return None;
    }
    let mut at = number(end + 16, 4)?;
    let mut entries = Vec::new();
    for _ in 0..number(end + 10, 2)? {
        let [name, extra, comment] = [
            number(at + 28, 2)?,
            number(at + 30, 2)?,
            number(at + 32, 2)?,
        ];
        let (size, local) = (number(at + 24, 4)?, number(at + 42, 4)?);
        let text = String::from_utf8(file.get(at + 46..at + 46 + name)?.to_vec()).ok()?;
        let data = local + 30 + number(local + 26, 2)? + number(local + 28, 2)?;
        entries.push((text, file.get(data..data + size)?.to_vec()));
        at += 46 + name + extra + comment;
    }
    Some(entries)
}
