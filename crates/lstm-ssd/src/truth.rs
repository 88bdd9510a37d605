//! What is really in a video: ground truth in the text format of the MOT benchmarks.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::detection::{BoundingBox, Truth};

/// The objects of a video, frame by frame, in pixels.
///
/// A line is a box: `frame,id,x,y,width,height,conf` and any number of columns that are not read. Frames
/// count from 1, `x,y` is the upper left corner, and a box whose `conf` is 0 is left out. Without a
/// seventh column it counts.
///
/// ```
/// use lstm_ssd::truth::GroundTruth;
///
/// let truth = GroundTruth::parse("1,7,10,20,30,40,1,-1,-1,-1\n3,7,12,20,30,40,0\n")?;
/// assert_eq!(truth.frame(1)[0].bounds.xmax, 40.0);
/// assert!(truth.frame(2).is_empty());
/// assert!(truth.frame(3)[0].ignored);
/// # Ok::<_, lstm_ssd::truth::TruthFault>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GroundTruth {
    frames: BTreeMap<usize, Vec<Truth>>,
}

/// A ground truth that cannot be read.
#[derive(Debug, Error)]
pub struct TruthError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    #[source]
    pub fault: TruthFault,
}

impl fmt::Display for TruthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

/// What is wrong with a ground truth.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TruthFault {
    /// The file cannot be read, or is no text.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line is none of a box.
    #[error("line {line}: {field}: expected {expected}, found {found:?}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// The column.
        field: &'static str,
        /// What belongs there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// There is no box at all.
    #[error("expected at least one box, found none")]
    Empty,
}

/// The columns that a line must have.
const COLUMNS: [&str; 6] = ["frame", "id", "x", "y", "width", "height"];

impl GroundTruth {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or as [`parse`](Self::parse) errs.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, TruthError> {
        let path = path.as_ref();
        let parse = || Self::parse(&std::fs::read_to_string(path)?);
        parse().map_err(|fault| TruthError {
            path: path.to_owned(),
            fault,
        })
    }

    /// Reads the text of a file. Empty lines are passed over.
    ///
    /// # Errors
    ///
    /// Naming the first line, and its first column, that is not as it should be.
    pub fn parse(text: &str) -> Result<Self, TruthFault> {
        let mut frames: BTreeMap<usize, Vec<Truth>> = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let (frame, truth) = row(line, index + 1)?;
            frames.entry(frame).or_default().push(truth);
        }
        if frames.is_empty() {
            return Err(TruthFault::Empty);
        }
        Ok(Self { frames })
    }

    /// The objects in a frame, counted from 1.
    pub fn frame(&self, frame: usize) -> &[Truth] {
        self.frames.get(&frame).map_or(&[], Vec::as_slice)
    }

    /// The last frame with an object.
    pub fn last_frame(&self) -> usize {
        self.frames.keys().next_back().copied().unwrap_or(0)
    }
}

fn row(text: &str, line: usize) -> Result<(usize, Truth), TruthFault> {
    let columns: Vec<&str> = text.split(',').map(str::trim).collect();
    let fault = |field, expected, found: &str| TruthFault::Line {
        line,
        field,
        expected,
        found: found.to_owned(),
    };
    if columns.len() < COLUMNS.len() {
        return Err(fault("the line", "frame,id,x,y,width,height,conf", text));
    }
    let number = |column: usize| {
        let found = columns[column];
        let number = found.parse::<f32>().ok().filter(|n| n.is_finite());
        number.ok_or_else(|| fault(COLUMNS[column], "a number", found))
    };
    let frame = columns[0].parse::<usize>().ok().filter(|frame| *frame > 0);
    let frame = frame.ok_or_else(|| fault("frame", "a whole number from 1", columns[0]))?;
    number(1)?;
    let [x, y, width, height] = [number(2)?, number(3)?, number(4)?, number(5)?];
    for (field, size, column) in [("width", width, 4), ("height", height, 5)] {
        if size <= 0.0 {
            return Err(fault(field, "a number above 0", columns[column]));
        }
    }
    let ignored = match columns.get(6) {
        None => false,
        Some(conf) => {
            let value = conf.parse::<f32>().ok();
            match value {
                Some(0.0) => true,
                Some(1.0) => false,
                _ => return Err(fault("conf", "0 or 1", conf)),
            }
        }
    };
    let bounds = BoundingBox::new(y, x, y + height, x + width);
    Ok((frame, Truth { bounds, ignored }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_read_by_frame() {
        let text =
            "2,1,399,182,121,229,1,-1,-1,-1\n\n1,2,88,99,61.5,218.5,1,4.4,5.5,0\n2,9,-5,1,9,9";
        let truth = GroundTruth::parse(text).unwrap();
        assert_eq!(truth.last_frame(), 2);
        let expected = BoundingBox::new(99.0, 88.0, 317.5, 149.5);
        assert_eq!(truth.frame(1)[0].bounds, expected);
        assert_eq!(truth.frame(2).len(), 2);
        assert_eq!(truth.frame(2)[1].bounds.xmin, -5.0);
        assert_eq!(truth.frame(3), []);
    }

    #[test]
    fn nonsense_is_named_with_its_line_and_column() {
        let good = "1,1,1,1,1,1,1\n";
        for (bad, expected) in [
            (
                "1,1,1,1,1",
                "line 2: the line: expected frame,id,x,y,width,height,conf, found \"1,1,1,1,1\"",
            ),
            (
                "0,1,1,1,1,1",
                "line 2: frame: expected a whole number from 1, found \"0\"",
            ),
            (
                "1.5,1,1,1,1,1",
                "line 2: frame: expected a whole number from 1, found \"1.5\"",
            ),
            ("1,a,1,1,1,1", "line 2: id: expected a number, found \"a\""),
            (
                "1,1,nan,1,1,1",
                "line 2: x: expected a number, found \"nan\"",
            ),
            (
                "1,1,1,inf,1,1",
                "line 2: y: expected a number, found \"inf\"",
            ),
            (
                "1,1,1,1,0,1",
                "line 2: width: expected a number above 0, found \"0\"",
            ),
            (
                "1,1,1,1,1,-3",
                "line 2: height: expected a number above 0, found \"-3\"",
            ),
            (
                "1,1,1,1,1,1,yes",
                "line 2: conf: expected 0 or 1, found \"yes\"",
            ),
        ] {
            let error = GroundTruth::parse(&format!("{good}{bad}\n")).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let error = GroundTruth::parse("\n \n").unwrap_err();
        assert_eq!(error.to_string(), "expected at least one box, found none");
    }
}
