//! H.264 as mp4 stores it, made into the form that decoders take.

use super::VideoFault;

/// What the box `avcC` says (ISO/IEC 14496-15, section 5.3.3): how units are stored, and the units
/// that come before the first frame.
pub(super) struct Config {
    /// Bytes of a unit's length.
    length: usize,
    /// Sequence and picture parameter sets, each with a start code.
    pub parameters: Vec<u8>,
}

const START: [u8; 4] = [0, 0, 0, 1];

impl Config {
    pub fn parse(bytes: &[u8]) -> Result<Self, VideoFault> {
        let mut rest = Bytes(bytes);
        let head = rest.take(5)?;
        if head[0] != 1 {
            return Err(malformed("version 1", head[0]));
        }
        let length = usize::from(head[4] & 3) + 1;
        let mut parameters = Vec::new();
        for mask in [0x1f, 0xff] {
            let count = rest.take(1)?[0] & mask;
            for _ in 0..count {
                let size = rest.take(2)?;
                let size = usize::from(u16::from_be_bytes([size[0], size[1]]));
                parameters.extend(START);
                parameters.extend(rest.take(size)?);
            }
        }
        if parameters.is_empty() {
            return Err(malformed("parameter sets", 0));
        }
        Ok(Self { length, parameters })
    }

    /// A frame's units, each with a start code instead of its length, added to `out`.
    pub fn annex_b(&self, sample: &[u8], out: &mut Vec<u8>) -> Result<(), VideoFault> {
        let mut rest = sample;
        while !rest.is_empty() {
            let unit = rest
                .split_at_checked(self.length)
                .and_then(|(size, after)| {
                    let size = size
                        .iter()
                        .fold(0, |size, byte| (size << 8) | usize::from(*byte));
                    after.split_at_checked(size)
                });
            let Some((unit, after)) = unit else {
                return Err(VideoFault::malformed(
                    "the frame",
                    "whole units, each after its length",
                    format!("{} bytes that are none", rest.len()),
                ));
            };
            out.extend(START);
            out.extend(unit);
            rest = after;
        }
        Ok(())
    }
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], VideoFault> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| malformed("more bytes", self.0.len()))?;
        self.0 = rest;
        Ok(taken)
    }
}

fn malformed(expected: &str, found: impl ToString) -> VideoFault {
    VideoFault::malformed("the box avcC", expected, found.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_sets_and_units_get_start_codes() {
        let avcc = [1, 100, 0, 30, 0xfd, 0xe1, 0, 2, 0x67, 7, 1, 0, 1, 0x68];
        let config = Config::parse(&avcc).unwrap();
        assert_eq!(config.parameters, [0, 0, 0, 1, 0x67, 7, 0, 0, 0, 1, 0x68]);
        let mut out = Vec::new();
        config.annex_b(&[0, 1, 9, 0, 2, 8, 7], &mut out).unwrap();
        assert_eq!(out, [0, 0, 0, 1, 9, 0, 0, 0, 1, 8, 7]);
        for damaged in [&[0, 9, 1][..], &[0], &[255, 255, 1, 2]] {
            assert!(config.annex_b(damaged, &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn a_truncated_box_is_an_error() {
        let avcc = [1, 100, 0, 30, 0xff, 0xe1, 0, 2, 0x67, 7, 1, 0, 1, 0x68];
        for length in 0..avcc.len() {
            assert!(Config::parse(&avcc[..length]).is_err(), "{length}");
        }
    }
}
