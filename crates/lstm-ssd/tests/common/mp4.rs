//! H.264 in mp4, made by a test: the encoder that comes with the decoder, and the boxes around.

use openh264::encoder::Encoder;
use openh264::formats::{RgbSliceU8, YUVBuffer};
use openh264::nal_units;

/// Encoded frames, and what an mp4 file says of them.
pub struct Encoded {
    /// The content of the box `avcC`.
    pub config: Vec<u8>,
    /// Each frame's units, after their lengths.
    pub frames: Vec<Vec<u8>>,
}

/// Encodes pictures of red, green and blue; with `all_intra` each by itself.
pub fn encode(width: usize, height: usize, pictures: &[Vec<u8>], all_intra: bool) -> Encoded {
    let mut encoder = Encoder::new().unwrap();
    let (mut sequence, mut parameters) = (Vec::new(), Vec::new());
    let mut frames = Vec::new();
    for picture in pictures {
        let yuv = YUVBuffer::from_rgb8_source(RgbSliceU8::new(picture, (width, height)));
        if all_intra {
            encoder.force_intra_frame();
        }
        let stream = encoder.encode(&yuv).unwrap().to_vec();
        let mut frame = Vec::new();
        for unit in nal_units(&stream) {
            let start = unit.iter().position(|byte| *byte == 1).unwrap() + 1;
            let unit = &unit[start..];
            match unit[0] & 31 {
                7 => sequence = unit.to_vec(),
                8 => parameters = unit.to_vec(),
                _ => {
                    frame.extend((unit.len() as u32).to_be_bytes());
                    frame.extend(unit);
                }
            }
        }
        frames.push(frame);
    }
    let mut config = vec![1, sequence[1], sequence[2], sequence[3], 0xff, 0xe1];
    config.extend((sequence.len() as u16).to_be_bytes());
    config.extend(&sequence);
    config.push(1);
    config.extend((parameters.len() as u16).to_be_bytes());
    config.extend(&parameters);
    Encoded { config, frames }
}

/// The box `ftyp`, 16 bytes.
pub fn kind() -> Vec<u8> {
    boxed(b"ftyp", &[b"isom", &[0; 4]])
}

/// What the box `moov` says.
pub struct Contents<'a> {
    pub codec: &'a [u8; 4],
    pub config: &'a [u8],
    pub size: [u16; 2],
    pub sizes: &'a [u32],
    /// First chunk, from 1, and the frames in each chunk.
    pub runs: &'a [[u32; 2]],
    pub chunks: &'a [u32],
}

impl Contents<'_> {
    pub fn to_bytes(&self) -> Vec<u8> {
        let count = |len: usize| (len as u32).to_be_bytes();
        let numbers = |numbers: &[u32]| -> Vec<u8> {
            numbers
                .iter()
                .flat_map(|number| number.to_be_bytes())
                .collect()
        };
        let frames = self.sizes.len() as u32;
        let [width, height] = self.size.map(u16::to_be_bytes);

        let configuration = match self.codec {
            b"avc1" => b"avcC",
            _ => b"hvcC",
        };
        let entry = boxed(
            self.codec,
            &[
                &[0, 0, 0, 0, 0, 0, 0, 1],
                &[0; 16],
                &width,
                &height,
                &numbers(&[0x48_0000, 0x48_0000, 0]),
                &[0, 1],
                &[0; 32],
                &[0, 24, 0xff, 0xff],
                &boxed(configuration, &[self.config]),
            ],
        );
        let runs: Vec<u32> = self
            .runs
            .iter()
            .flat_map(|[first, frames]| [*first, *frames, 1])
            .collect();
        let table = boxed(
            b"stbl",
            &[
                &full(b"stsd", &[&count(1), &entry]),
                &full(b"stts", &[&numbers(&[1, frames, 1])]),
                &full(b"stsc", &[&count(self.runs.len()), &numbers(&runs)]),
                &full(b"stsz", &[&numbers(&[0, frames]), &numbers(self.sizes)]),
                &full(b"stco", &[&count(self.chunks.len()), &numbers(self.chunks)]),
            ],
        );
        let reference = full(b"dref", &[&count(1), &boxed(b"url ", &[&[0, 0, 0, 1]])]);
        let information = boxed(
            b"minf",
            &[
                &full(b"vmhd", &[&[0; 8]]),
                &boxed(b"dinf", &[&reference]),
                &table,
            ],
        );
        let media = boxed(
            b"mdia",
            &[
                &full(
                    b"mdhd",
                    &[&numbers(&[0, 0, 25, frames]), &[0x55, 0xc4, 0, 0]],
                ),
                &full(b"hdlr", &[&[0; 4], b"vide", &[0; 13]]),
                &information,
            ],
        );
        let matrix = numbers(&[0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000]);
        let track = full(
            b"tkhd",
            &[
                &numbers(&[0, 0, 1, 0, frames]),
                &[0; 16],
                &matrix,
                &width,
                &[0, 0],
                &height,
                &[0, 0],
            ],
        );
        let movie = full(
            b"mvhd",
            &[
                &numbers(&[0, 0, 25, frames, 0x1_0000]),
                &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                &matrix,
                &[0; 24],
                &numbers(&[2]),
            ],
        );
        boxed(b"moov", &[&movie, &boxed(b"trak", &[&track, &media])])
    }
}

fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let size = (content.len() as u32 + 8).to_be_bytes();
    [&size, &kind[..], &content].concat()
}

/// A box with a version and flags, both 0.
fn full(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    boxed(kind, &[&[&[0; 4][..]], parts].concat())
}
