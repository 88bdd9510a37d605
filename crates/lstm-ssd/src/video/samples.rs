//! Where in an mp4 file each frame lies (ISO/IEC 14496-12, section 8.7).

use super::VideoFault;

/// The tables of a track. Frames lie in chunks, one after the other; runs of chunks have the same
/// number of frames.
#[derive(Debug)]
pub(super) struct Samples {
    /// Where each chunk begins.
    chunks: Vec<u64>,
    /// The first chunk of each run, from 1, and the frames in each of its chunks.
    runs: Vec<[u32; 2]>,
    /// The size of each frame.
    sizes: Vec<u32>,
    /// How far the walk has come: frame, chunk, frame within the chunk, and where that one lies.
    frame: usize,
    chunk: usize,
    within: u32,
    offset: u64,
}

impl Samples {
    pub fn new(chunks: Vec<u64>, runs: Vec<[u32; 2]>, sizes: Vec<u32>) -> Self {
        Self {
            chunks,
            runs,
            sizes,
            frame: 0,
            chunk: 0,
            within: 0,
            offset: 0,
        }
    }

    /// Place and size of the next frame, none at the end.
    pub fn next(&mut self) -> Result<Option<(u64, usize)>, VideoFault> {
        let Some(size) = self.sizes.get(self.frame).copied() else {
            return Ok(None);
        };
        loop {
            if self.within == 0 {
                self.offset = *self.chunks.get(self.chunk).ok_or_else(|| {
                    VideoFault::malformed(
                        "the box stco",
                        format!("a chunk for each of {} frames", self.sizes.len()),
                        format!("{} chunks", self.chunks.len()),
                    )
                })?;
            }
            if self.within < self.frames_in_chunk()? {
                break;
            }
            self.chunk += 1;
            self.within = 0;
        }
        let offset = self.offset;
        self.frame += 1;
        self.within += 1;
        self.offset = offset.saturating_add(size.into());
        Ok(Some((offset, size as usize)))
    }

    fn frames_in_chunk(&self) -> Result<u32, VideoFault> {
        // Runs are few, mostly one or two.
        let number = self.chunk as u64 + 1;
        let begun = self
            .runs
            .partition_point(|[first, _]| u64::from(*first) <= number);
        let run = begun.checked_sub(1).and_then(|run| self.runs.get(run));
        run.map(|[_, frames]| *frames).ok_or_else(|| {
            let expected = "a run that begins with chunk 1";
            VideoFault::malformed(
                "the box stsc",
                expected,
                format!("{} runs", self.runs.len()),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(mut samples: Samples) -> Result<Vec<(u64, usize)>, VideoFault> {
        let mut found = Vec::new();
        while let Some(sample) = samples.next()? {
            found.push(sample);
        }
        Ok(found)
    }

    #[test]
    fn frames_lie_end_to_end_in_chunks() {
        let samples = Samples::new(
            vec![1000, 2000, 3000],
            vec![[1, 2], [3, 1]],
            vec![10, 20, 30, 40, 50],
        );
        let expected = [(1000, 10), (1010, 20), (2000, 30), (2030, 40), (3000, 50)];
        assert_eq!(walk(samples).unwrap(), expected);
    }

    #[test]
    fn contradictory_tables_are_errors() {
        let samples = |chunks: &[u64], runs: &[[u32; 2]]| {
            Samples::new(chunks.to_vec(), runs.to_vec(), vec![1; 5])
        };
        for damaged in [
            samples(&[0], &[[1, 4]]),
            samples(&[], &[[1, 5]]),
            samples(&[0], &[]),
            samples(&[0], &[[2, 5]]),
            samples(&[0, 1], &[[1, 0]]),
        ] {
            assert!(walk(damaged).is_err());
        }
        let far = samples(&[u64::MAX], &[[1, 5]]);
        assert_eq!(walk(far).unwrap()[4], (u64::MAX, 1));
    }
}
