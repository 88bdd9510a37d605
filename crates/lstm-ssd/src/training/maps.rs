//! The clips as a part of a memory sees them, in a folder: maps of the frozen detector, or cuts of the frames.
//!
//! A file for each clip has, as `f16` one after the other: the maps of its undamaged frames, those of each damaged copy,
//! those of the undamaged frames as they are shown if a frame memory repairs them, where something is to be seen, box
//! codes and scores. `cache.json` says what they were made of.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use burn::tensor::backend::Backend;
use half::f16;
use serde::{Deserialize, Serialize};

use super::clip::{Clip, FRAMES, SPAN};
use super::error::TrainingError as Error;
use super::footage::{Description, Footage, Source};
use super::teacher::Teacher;
use super::view::{View, Viewer};
use crate::network::{MobileNetV2Ssd, MobileNetV2SsdConfig};
use crate::{Picture, whole_file};

const SETTINGS: &str = "cache.json";
const EXTENSION: &str = "f16";
/// Of the files' content: clips and damages that are drawn in another way are other ones.
const VERSION: u32 = 2;

/// Clips from which the deviations of a map's channels are taken, at most.
const MEASURED: usize = 40;

/// What a channel that never changes is divided by.
const LEAST_DEVIATION: f32 = 1e-3;

/// The detector that is to be given a memory.
#[derive(Debug, Clone, Copy)]
pub struct Frozen<'a, B: Backend> {
    /// The network.
    pub detector: &'a MobileNetV2Ssd<B>,
    /// The [`fingerprint`](crate::network::fingerprint) of its weights.
    pub fingerprint: &'a str,
}

/// Which clips are made of footage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapsConfig {
    /// What clips and damages are drawn from.
    pub seed: u64,
    /// The number of clips.
    pub clips: usize,
    /// Damaged copies of each.
    pub copies: usize,
    /// The class that matters most: what there is of others counts for half. None where all matter.
    pub class: Option<usize>,
}

/// All that the files depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Settings {
    version: u32,
    /// The fingerprint of the detector's weights.
    detector: String,
    config: MapsConfig,
    view: String,
    /// Whether undamaged frames are shown as something else than they should be.
    repairs: bool,
    footage: Vec<Description>,
    /// Channels, height and width of a map.
    map: [usize; 3],
    /// Priors of the finest map, and classes.
    heads: [usize; 2],
}

/// A part of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Maps of its frames, `[frames, channels, height, width]`.
    Clean,
    /// Maps of a copy's.
    Copy(usize),
    /// Maps of its frames as they are shown undamaged.
    Sound,
    /// How much there is to be seen in each cell, `[frames, height, width]`.
    Attention,
    /// Box codes of the priors on the finest map, `[frames, priors, 4]`.
    Codes,
    /// Scores of these, `[frames, priors, classes]`.
    Scores,
}

/// Maps of clips, undamaged and damaged, in a folder.
#[derive(Debug, Clone)]
pub struct Maps {
    folder: PathBuf,
    settings: Settings,
    /// The map of a black frame.
    black: Vec<f32>,
    /// The deviations of the channels.
    scale: Vec<f32>,
}

impl Maps {
    /// Makes the clips of footage, or what is missing of them if `folder` has some: a clip takes a core half a second
    /// or so. What the folder has of other footage, weights or settings is discarded. `progress` is told how many
    /// clips there are. None if `stop` was set before they were all made; those that were made stay.
    ///
    /// # Errors
    ///
    /// If there is no footage, or no clip is asked for, if a video or the folder cannot be read or written, or if
    /// the folder has files that are none of a cache.
    pub fn prepare<B: Backend>(
        folder: impl AsRef<Path>,
        frozen: Frozen<'_, B>,
        footage: &Footage,
        config: &MapsConfig,
        view: View<'_>,
        progress: impl Fn(usize) + Sync,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, Error> {
        let folder = folder.as_ref();
        let Frozen {
            detector,
            fingerprint,
        } = frozen;
        let sources = footage.sources();
        if sources.is_empty() {
            return Err(Error::NoFootage);
        }
        for (setting, value) in [("clips", config.clips), ("copies", config.copies)] {
            if value == 0 {
                return Err(Error::Setting {
                    setting,
                    expected: "at least 1",
                    found: value.to_string(),
                });
            }
        }
        let classes = detector.heads().num_classes();
        let network = MobileNetV2SsdConfig::new(classes).with_input(detector.input());
        let input = detector.input();
        let settings = Settings {
            version: VERSION,
            detector: fingerprint.to_owned(),
            config: config.clone(),
            view: view.identity(),
            repairs: view.repairs(),
            footage: sources
                .iter()
                .map(|source| source.description.clone())
                .collect(),
            map: view.shape(input, network.trunk()),
            heads: match view {
                View::Frames => [0, 0],
                View::Maps { .. } => [finest(&network), classes],
            },
        };
        settings.occupy(folder)?;
        let mut maps = Self {
            folder: folder.to_owned(),
            settings,
            black: Vec::new(),
            scale: Vec::new(),
        };
        let (shape, heads) = (maps.settings.map, maps.settings.heads);
        let viewer = || {
            let teacher = Teacher::new(detector, config.class)?;
            Viewer::new(view, teacher, config.class, input, shape, heads)
        };
        if !maps.make(sources, viewer, progress, stop)? {
            return Ok(None);
        }
        maps.black = viewer()?.black()?;
        maps.scale = maps.measure()?;
        Ok(Some(maps))
    }

    /// Makes all clips that are missing; returns whether they are all there.
    fn make<'a>(
        &self,
        sources: &[Source],
        viewer: impl Fn() -> Result<Viewer<'a>, Error> + Sync,
        progress: impl Fn(usize) + Sync,
        stop: &AtomicBool,
    ) -> Result<bool, Error> {
        let MapsConfig {
            seed,
            clips,
            copies,
            ..
        } = self.settings.config;
        let size = 2 * self.settings.values() as u64;
        let is_there = |clip: &usize| {
            let file = std::fs::metadata(self.path(*clip));
            file.is_ok_and(|file| file.len() == size)
        };
        let (there, missing): (Vec<usize>, Vec<usize>) = (0..clips).partition(is_there);
        let done = AtomicUsize::new(there.len());
        progress(there.len());
        if missing.is_empty() {
            return Ok(true);
        }
        let drawn: Vec<(usize, Clip)> = missing
            .into_iter()
            .map(|number| (number, Clip::draw(seed, number, copies, sources)))
            .collect();

        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let halt = AtomicBool::new(false);
        let stopped = || stop.load(Ordering::Relaxed) || halt.load(Ordering::Relaxed);
        // One clip waits while each thread makes one: no more are in memory.
        let (send, receive) = mpsc::sync_channel::<(&(usize, Clip), Vec<Arc<Picture>>)>(1);
        let receive = Mutex::new(receive);
        let work = || -> Result<(), Error> {
            let mut viewer = viewer()?;
            loop {
                let next = receive.lock().expect("no thread panics with it").recv();
                let Ok(((number, clip), frames)) = next else {
                    return Ok(());
                };
                if stopped() {
                    continue;
                }
                let source = &sources[clip.source];
                let values = viewer.content(seed, *number, clip, &frames, source)?;
                debug_assert_eq!(values.len(), self.settings.values());
                let bytes = values.iter();
                let bytes = bytes.flat_map(|value| f16::from_f32(*value).to_le_bytes());
                let content: Vec<u8> = bytes.collect();
                let path = self.path(*number);
                whole_file::write(&path, &content).map_err(Error::io(&path))?;
                progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        let result = work();
                        if result.is_err() {
                            halt.store(true, Ordering::Relaxed);
                            // So that whoever sends does not wait for a thread that is gone.
                            while receive.lock().is_ok_and(|receive| receive.recv().is_ok()) {}
                        }
                        result
                    })
                })
                .collect();
            let read = || -> Result<(), Error> {
                for (index, source) in sources.iter().enumerate() {
                    let own: Vec<_> = drawn
                        .iter()
                        .filter(|(_, clip)| clip.source == index)
                        .collect();
                    if own.is_empty() {
                        continue;
                    }
                    let frames: Vec<&[usize]> =
                        own.iter().map(|(_, clip)| clip.frames.as_slice()).collect();
                    source.read(&frames, SPAN, |request, frames| {
                        send.send((own[request], frames)).is_ok() && !stopped()
                    })?;
                    if stopped() {
                        break;
                    }
                }
                Ok(())
            };
            let read = read();
            drop(send);
            for worker in workers {
                worker
                    .join()
                    .expect("a thread that makes clips does not panic")?;
            }
            read
        })?;
        Ok(done.into_inner() == clips)
    }

    /// The deviations of the channels on undamaged frames of the first clips.
    fn measure(&self) -> Result<Vec<f32>, Error> {
        let [channels, height, width] = self.settings.map;
        let positions = height * width;
        let mut moments = vec![[0.0_f64; 2]; channels];
        let clips = self.clips().min(MEASURED);
        for clip in 0..clips {
            let values = self.read(clip, Part::Clean)?;
            for (index, map) in values.chunks_exact(positions).enumerate() {
                let [sum, squares] = &mut moments[index % channels];
                for value in map {
                    *sum += f64::from(*value);
                    *squares += f64::from(*value).powi(2);
                }
            }
        }
        let count = (clips * FRAMES * positions) as f64;
        let deviation = |[sum, squares]: &[f64; 2]| {
            let mean = sum / count;
            let deviation = (squares / count - mean * mean).max(0.0).sqrt();
            (deviation as f32).max(LEAST_DEVIATION)
        };
        Ok(moments.iter().map(deviation).collect())
    }

    /// A part of a clip.
    pub(super) fn read(&self, clip: usize, part: Part) -> Result<Vec<f32>, Error> {
        let path = self.path(clip);
        let (start, count) = self.settings.place(part);
        let mut bytes = vec![0; 2 * count];
        let mut read = || {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(2 * start as u64))?;
            file.read_exact(&mut bytes)
        };
        read().map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::Maps {
                found: "an earlier end".into(),
                path: path.clone(),
            },
            _ => Error::io(&path)(error),
        })?;
        let values = bytes.chunks_exact(2);
        Ok(values
            .map(|bytes| f16::from_le_bytes([bytes[0], bytes[1]]).to_f32())
            .collect())
    }

    /// The part that has undamaged frames as they are shown.
    pub(super) fn sound(&self) -> Part {
        match self.settings.repairs {
            true => Part::Sound,
            false => Part::Clean,
        }
    }

    /// Channels, height and width of a map.
    pub fn map(&self) -> [usize; 3] {
        self.settings.map
    }

    /// Priors of the finest map, the first ones, and classes.
    pub(super) fn heads(&self) -> [usize; 2] {
        self.settings.heads
    }

    /// The number of clips.
    pub fn clips(&self) -> usize {
        self.settings.config.clips
    }

    /// Which clips these are.
    pub fn config(&self) -> &MapsConfig {
        &self.settings.config
    }

    /// The fingerprint of the detector's weights.
    pub fn detector(&self) -> &str {
        &self.settings.detector
    }

    /// The map of a black frame, `[channels, height, width]`.
    pub(super) fn black(&self) -> &[f32] {
        &self.black
    }

    /// The deviations of the channels.
    pub(super) fn scale(&self) -> &[f32] {
        &self.scale
    }

    /// What tells these maps from others.
    pub(super) fn identity(&self) -> String {
        self.settings.to_json()
    }

    fn path(&self, clip: usize) -> PathBuf {
        self.folder.join(format!("{clip:05}.{EXTENSION}"))
    }
}

/// Priors of the finest map.
fn finest(config: &MobileNetV2SsdConfig) -> usize {
    let priors = config.priors();
    let [height, width] = priors.maps[0];
    height * width * priors.per_cell()[0]
}

impl Settings {
    /// Makes a folder that of these settings.
    fn occupy(&self, folder: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let path = folder.join(SETTINGS);
        let json = self.to_json();
        let found = match std::fs::read_to_string(&path) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io(&path)(error)),
        };
        if found.as_deref() == Some(&json) {
            return Ok(());
        }
        for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
            let file = entry.map_err(Error::io(folder))?.path();
            if found.is_none() {
                return Err(Error::NoCache {
                    folder: folder.to_owned(),
                });
            }
            if file
                .extension()
                .is_some_and(|extension| extension == EXTENSION)
            {
                std::fs::remove_file(&file).map_err(Error::io(&file))?;
            }
        }
        whole_file::write(&path, json.as_bytes()).map_err(Error::io(&path))
    }

    fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and text become JSON")
    }

    /// The number of values in a clip's file.
    fn values(&self) -> usize {
        let (start, count) = self.place(Part::Scores);
        start + count
    }

    /// Where a part begins in a clip's file, and how many values it has.
    fn place(&self, part: Part) -> (usize, usize) {
        let ([channels, height, width], [priors, classes]) = (self.map, self.heads);
        let maps = FRAMES * channels * height * width;
        let after = maps * (1 + self.config.copies + usize::from(self.repairs));
        let attention = FRAMES * height * width;
        let codes = FRAMES * priors * 4;
        match part {
            Part::Clean => (0, maps),
            Part::Copy(copy) => (maps * (1 + copy), maps),
            Part::Sound => (maps * (1 + self.config.copies), maps),
            Part::Attention => (after, attention),
            Part::Codes => (after + attention, codes),
            Part::Scores => (after + attention + codes, FRAMES * priors * classes),
        }
    }
}
