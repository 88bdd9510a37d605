//! Damage to a block of bytes.

use std::ops::Range;

use crate::random::Random;

/// Longest input that mutation lets grow.
const LONGEST: usize = 1 << 16;

const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    7,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x10000,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];

/// Changes `bytes` in one to four ways. `tokens` are words of the format, `other` is an input to
/// splice with.
pub fn mutate(bytes: &mut Vec<u8>, random: &mut Random, tokens: &[&[u8]], other: &[u8]) {
    for _ in 0..1 + random.below(4) {
        once(bytes, random, tokens, other);
    }
    bytes.truncate(LONGEST);
}

fn once(bytes: &mut Vec<u8>, random: &mut Random, tokens: &[&[u8]], other: &[u8]) {
    match random.below(12) {
        0 | 1 => {
            if let Some(at) = place(bytes, random) {
                bytes[at] ^= 1 << random.below(8);
            }
        }
        2 => {
            if let Some(at) = place(bytes, random) {
                bytes[at] = random.bits() as u8;
            }
        }
        3 => number(bytes, random),
        4 => decimal(bytes, random),
        5 => {
            let range = range(bytes, random);
            bytes.drain(range);
        }
        6 => {
            let block = bytes[range(bytes, random)].to_vec();
            let at = random.below(bytes.len() + 1);
            bytes.splice(at..at, block);
        }
        7 => {
            let block: Vec<u8> = bytes.drain(range(bytes, random)).collect();
            let at = random.below(bytes.len() + 1);
            bytes.splice(at..at, block);
        }
        8 => {
            let at = random.below(bytes.len() + 1);
            bytes.truncate(at);
            bytes.extend(&other[random.below(other.len() + 1)..]);
        }
        9 => {
            let block = other[range(other, random)].to_vec();
            let range = range(bytes, random);
            bytes.splice(range, block);
        }
        10 => {
            let at = random.below(bytes.len() + 1);
            bytes.splice(at..at, random.pick(tokens).iter().copied());
        }
        _ => {
            let token = *random.pick(tokens);
            let at = random.below(bytes.len() + 1);
            let end = (at + token.len()).min(bytes.len());
            bytes.splice(at..end, token.iter().copied());
        }
    }
}

/// Overwrites a binary number, or changes it a little.
fn number(bytes: &mut [u8], random: &mut Random) {
    let width = *random.pick(&[1, 2, 4, 8]);
    if bytes.len() < width {
        return;
    }
    let at = random.below(bytes.len() - width + 1);
    let field = &mut bytes[at..at + width];
    let mut value = [0; 8];
    value[..width].copy_from_slice(field);
    let value = u64::from_le_bytes(value);
    let value = match random.below(4) {
        0 => value.wrapping_add(1 + random.below(16) as u64),
        1 => value.wrapping_sub(1 + random.below(16) as u64),
        2 => value << random.below(8),
        _ => *random.pick(&NUMBERS),
    };
    field.copy_from_slice(&value.to_le_bytes()[..width]);
}

/// Replaces a number in text.
fn decimal(bytes: &mut Vec<u8>, random: &mut Random) {
    let Some(from) = place(bytes, random) else {
        return;
    };
    let Some(start) = bytes[from..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let start = from + start;
    let length = bytes[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let value = if random.below(2) == 0 {
        *random.pick(&NUMBERS)
    } else {
        random.below(64) as u64
    };
    bytes.splice(start..start + length, value.to_string().into_bytes());
}

fn place(bytes: &[u8], random: &mut Random) -> Option<usize> {
    (!bytes.is_empty()).then(|| random.below(bytes.len()))
}

/// A short range for the most part.
fn range(bytes: &[u8], random: &mut Random) -> Range<usize> {
    let start = random.below(bytes.len() + 1);
    let longest = *random.pick(&[1, 4, 16, 64, 1024]);
    start..start + random.below((bytes.len() - start).min(longest) + 1)
}
