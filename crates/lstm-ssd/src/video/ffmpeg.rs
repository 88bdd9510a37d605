//! Whatever an installed ffmpeg reads, through a pipe.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::y4m::Y4m;
use super::{Source, VideoFault};
use crate::Picture;

/// How much of what ffmpeg says is passed on.
const MAX_MESSAGE: u64 = 4096;

pub(super) struct Ffmpeg {
    child: Child,
    messages: File,
    frames: Option<Y4m<BufReader<ChildStdout>>>,
    found: String,
}

impl Ffmpeg {
    /// Starts ffmpeg on a file, which holds what `found` says.
    pub fn open(path: &Path, program: &str, found: &str) -> Result<Self, VideoFault> {
        let mut input = std::ffi::OsString::from("file:");
        input.push(path);
        // Messages go to a file, which is never full as a pipe is.
        let messages = tempfile::tempfile()?;
        let child = Command::new(program)
            .args(["-nostdin", "-v", "error", "-i"])
            .arg(input)
            .args([
                "-map",
                "0:v:0",
                "-f",
                "yuv4mpegpipe",
                "-pix_fmt",
                "yuv420p",
                "-",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(messages.try_clone()?)
            .spawn();
        let child = child.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => VideoFault::FfmpegMissing {
                found: found.to_owned(),
                program: program.to_owned(),
            },
            _ => VideoFault::Io(error),
        })?;
        let mut source = Self {
            child,
            messages,
            frames: None,
            found: found.to_owned(),
        };
        if let Some(out) = source.child.stdout.take() {
            match Y4m::new(BufReader::new(out)) {
                Ok(frames) => source.frames = Some(frames),
                Err(fault) => return Err(source.finish()?.unwrap_or(fault)),
            }
        }
        Ok(source)
    }

    /// Waits for ffmpeg to end. What it says, if it failed.
    fn finish(&mut self) -> Result<Option<VideoFault>, VideoFault> {
        // Its end of the pipe is closed first, so that it does not wait for a reader.
        self.frames = None;
        let status = self.child.wait()?;
        if status.success() {
            return Ok(None);
        }
        self.messages.rewind()?;
        let mut message = Vec::new();
        (&self.messages)
            .take(MAX_MESSAGE)
            .read_to_end(&mut message)?;
        let message = String::from_utf8_lossy(&message);
        let message = message.lines().next().unwrap_or_default().trim();
        Ok(Some(VideoFault::Ffmpeg {
            found: self.found.clone(),
            message: match message {
                "" => status.to_string(),
                message => message.to_owned(),
            },
        }))
    }
}

impl Source for Ffmpeg {
    fn next(&mut self) -> Result<Option<Picture>, VideoFault> {
        let Some(frames) = &mut self.frames else {
            return Ok(None);
        };
        match frames.next() {
            Ok(Some(picture)) => Ok(Some(picture)),
            Ok(None) => self.finish()?.map_or(Ok(None), Err),
            Err(fault) => Err(self.finish()?.unwrap_or(fault)),
        }
    }

    fn rate(&self) -> Option<f64> {
        self.frames.as_ref()?.rate()
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        // It may have ended by itself, which is what kill and wait would fail for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
