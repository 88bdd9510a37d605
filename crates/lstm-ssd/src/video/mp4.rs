//! H.264 in mp4.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use mp4parse::{CodecType, SampleEntry, Track, TrackType, VideoCodecSpecific};
use openh264::OpenH264API;
use openh264::decoder::{DecodeOptions, DecodedYUV, Decoder, DecoderConfig, Flush};
use openh264::formats::YUVSource;

use super::avc::Config;
use super::samples::Samples;
use super::yuv::Planes;
use super::{Source, VideoFault};
use crate::Picture;

/// Bytes of the largest table of contents that is read: that of a week of video.
const MAX_CONTENTS: u64 = 1 << 28;

/// Bytes of the largest compressed frame that is read.
const MAX_FRAME: usize = 1 << 26;

/// What an mp4 file turns out to be.
pub(super) enum Opened {
    /// H.264.
    Video(Box<Mp4>),
    /// Something else, in words.
    Other(String),
}

pub(super) struct Mp4 {
    file: File,
    length: u64,
    rate: Option<f64>,
    samples: Samples,
    config: Config,
    decoder: Decoder,
    /// Whether the parameter sets went to the decoder.
    started: bool,
    /// Pictures that came out together.
    ready: VecDeque<Picture>,
    /// What ends the video after those.
    fault: Option<VideoFault>,
    finished: bool,
    compressed: Vec<u8>,
}

impl Mp4 {
    pub fn open(path: &Path) -> Result<Opened, VideoFault> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let contents = contents(&mut file, length)?;
        let contents = mp4parse::read_mp4(&mut Cursor::new(contents)).map_err(|error| {
            VideoFault::malformed("the box moov", "a table of contents", error.to_string())
        })?;
        let is_video = |track: &&Track| matches!(track.track_type, TrackType::Video);
        let Some(track) = contents.tracks.iter().find(is_video) else {
            return Ok(Opened::Other("an mp4 file without a video track".into()));
        };
        let config = match codec(track) {
            Ok(config) => Config::parse(config)?,
            Err(other) => return Ok(Opened::Other(other)),
        };
        if contents.mvex.is_some() {
            return Ok(Opened::Other("an mp4 file in fragments".into()));
        }
        let samples = samples(track)?;
        let api = OpenH264API::from_source();
        let options = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
        let decoder = Decoder::with_api_config(api, options)
            .map_err(|error| VideoFault::Decode(error.to_string()))?;
        Ok(Opened::Video(Box::new(Self {
            file,
            length,
            rate: rate(track),
            samples,
            config,
            decoder,
            started: false,
            ready: VecDeque::new(),
            fault: None,
            finished: false,
            compressed: Vec::new(),
        })))
    }

    /// Decodes one more frame, or flushes the decoder at the end.
    fn advance(&mut self) -> Result<(), VideoFault> {
        let Some((offset, size)) = self.samples.next()? else {
            self.finish();
            return Ok(());
        };
        let end = offset.checked_add(size as u64);
        if size > MAX_FRAME || end.is_none_or(|end| end > self.length) {
            return Err(VideoFault::malformed(
                "the frame",
                format!("a place within the file's {} bytes", self.length),
                format!("{size} bytes from byte {offset} on; is the file truncated?"),
            ));
        }
        let mut sample = vec![0; size];
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_exact(&mut sample)?;
        self.compressed.clear();
        if !self.started {
            self.compressed.extend(&self.config.parameters);
            self.started = true;
        }
        self.config.annex_b(&sample, &mut self.compressed)?;
        // Pictures come in the order in which they are shown, once that is known.
        let options = DecodeOptions::new().flush_after_decode(Flush::NoFlush);
        let decoded = self
            .decoder
            .decode_with_options(&self.compressed, options)
            .map_err(|error| VideoFault::Decode(error.to_string()))?;
        if let Some(picture) = decoded {
            self.ready.push_back(picture_of(&picture)?);
        }
        Ok(())
    }

    /// Takes what the decoder holds back.
    fn finish(&mut self) {
        self.finished = true;
        let rest = match self.decoder.flush_remaining() {
            Ok(rest) => rest,
            Err(error) => {
                let fault = VideoFault::Decode(error.to_string());
                self.fault.get_or_insert(fault);
                return;
            }
        };
        for picture in &rest {
            match picture_of(picture) {
                Ok(picture) => self.ready.push_back(picture),
                Err(fault) => {
                    self.fault.get_or_insert(fault);
                    return;
                }
            }
        }
    }
}

impl Source for Mp4 {
    fn next(&mut self) -> Result<Option<Picture>, VideoFault> {
        loop {
            if let Some(picture) = self.ready.pop_front() {
                return Ok(Some(picture));
            }
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            if self.finished {
                return Ok(None);
            }
            if let Err(fault) = self.advance() {
                // Frames before the damage are held back by the decoder, and still good.
                self.fault = Some(fault);
                self.finish();
            }
        }
    }

    fn rate(&self) -> Option<f64> {
        self.rate
    }
}

/// The boxes `ftyp` and `moov`, without what lies between and after them.
fn contents(file: &mut File, length: u64) -> Result<Vec<u8>, VideoFault> {
    let mut contents = Vec::new();
    let mut at = 0;
    while length.saturating_sub(at) >= 8 {
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 16];
        let read = if length - at < 16 { 8 } else { 16 };
        file.read_exact(&mut head[..read])?;
        let [a, b, c, d, kind @ .., e, f, g, h, i, j, k, l] = head;
        let size = match u32::from_be_bytes([a, b, c, d]) {
            // To the end of the file.
            0 => length - at,
            1 => u64::from_be_bytes([e, f, g, h, i, j, k, l]),
            size => size.into(),
        };
        if size < 8 {
            let found = format!("{size} bytes");
            return Err(VideoFault::malformed("a box", "at least 8 bytes", found));
        }
        if matches!(&kind, b"ftyp" | b"moov") {
            if size > length - at || size > MAX_CONTENTS {
                return Err(VideoFault::malformed(
                    "the box moov",
                    format!("at most {} bytes", (length - at).min(MAX_CONTENTS)),
                    format!("{size}; is the file truncated?"),
                ));
            }
            file.seek(SeekFrom::Start(at))?;
            file.by_ref().take(size).read_to_end(&mut contents)?;
            if &kind == b"moov" {
                return Ok(contents);
            }
        }
        at = at.saturating_add(size);
    }
    Err(VideoFault::malformed(
        "the file",
        "a table of contents, the box moov",
        format!("none in {length} bytes; is the file truncated?"),
    ))
}

/// The content of `avcC`, or what else the track holds, in words.
fn codec(track: &Track) -> Result<&[u8], String> {
    let entries = track.stsd.iter().flat_map(|stsd| stsd.descriptions.iter());
    for entry in entries {
        if let SampleEntry::Video(video) = entry {
            return match (&video.codec_type, &video.codec_specific) {
                (CodecType::H264, VideoCodecSpecific::AVCConfig(config)) => Ok(config),
                (other, _) => Err(format!("{other:?} in mp4")),
            };
        }
    }
    Err("a codec other than H.264 in mp4".into())
}

/// Frames a second, by how long each stays.
fn rate(track: &Track) -> Option<f64> {
    let times = &track.stts.as_ref()?.samples;
    let sum = |of: fn(&mp4parse::Sample) -> f64| times.iter().map(of).sum::<f64>();
    let frames = sum(|run| run.sample_count.into());
    let ticks = sum(|run| f64::from(run.sample_count) * f64::from(run.sample_delta));
    Some(frames * track.timescale?.0 as f64 / ticks)
}

fn samples(track: &Track) -> Result<Samples, VideoFault> {
    let missing = |name| VideoFault::malformed("the box stbl", name, "none");
    let chunks = track.stco.as_ref().ok_or_else(|| missing("a box stco"))?;
    let runs = track.stsc.as_ref().ok_or_else(|| missing("a box stsc"))?;
    let sizes = track.stsz.as_ref().ok_or_else(|| missing("a box stsz"))?;
    if sizes.sample_size != 0 {
        // The number of frames of one size is not handed out, and no H.264 has such.
        let found = format!("{} for all", sizes.sample_size);
        let expected = "a size for each frame";
        return Err(VideoFault::malformed("the box stsz", expected, found));
    }
    let runs = runs.samples.iter();
    Ok(Samples::new(
        chunks.offsets.to_vec(),
        runs.map(|run| [run.first_chunk, run.samples_per_chunk])
            .collect(),
        sizes.sample_sizes.to_vec(),
    ))
}

fn picture_of(decoded: &DecodedYUV<'_>) -> Result<Picture, VideoFault> {
    let (width, height) = decoded.dimensions();
    let (stride, chroma_stride, _) = decoded.strides();
    Planes {
        width,
        height,
        planes: [decoded.y(), decoded.u(), decoded.v()],
        strides: [stride, chroma_stride],
        shared: [2, 2],
        full_range: false,
    }
    .to_picture()
}
