//! Memory does not grow with the length of a video: a process of its own, whose allocations are counted.

#[path = "common/mp4.rs"]
mod container;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use container::{Contents, encode, kind};
use lstm_ssd::video::Video;

/// Frames of a video, and how many of them go by before memory is measured.
const FRAMES: usize = 10_000;
const WARM: usize = 500;

/// Bytes that may come and go between two measurements.
const SLACK: usize = 64 << 10;

/// Bytes by which the process may grow, the decoder's own and what allocators keep among them.
const RESIDENT_SLACK: usize = 4 << 20;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything on to the system's allocator, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of the process that are in memory, where the system tells.
fn resident() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split(' ').nth(1)?.parse::<usize>().ok()? * 4096)
}

fn walk(path: &Path) {
    let mut warm = None;
    let mut frames = 0;
    for picture in Video::open(path).unwrap() {
        picture.unwrap();
        frames += 1;
        if frames == WARM {
            warm = Some((PEAK.load(Ordering::Relaxed), resident()));
        }
    }
    assert_eq!(frames, FRAMES);
    let (peak, before) = warm.unwrap();
    let grown = PEAK.load(Ordering::Relaxed) - peak;
    assert!(grown <= SLACK, "{}: {grown} bytes more", path.display());
    if let (Some(before), Some(after)) = (before, resident()) {
        let grown = after.saturating_sub(before);
        assert!(
            grown <= RESIDENT_SLACK,
            "{}: {grown} bytes more",
            path.display()
        );
    }
}

#[test]
fn ten_thousand_frames_take_no_more_than_five_hundred() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.y4m");
    let mut file = BufWriter::new(std::fs::File::create(&path).unwrap());
    file.write_all(b"YUV4MPEG2 W32 H32 Cmono\n").unwrap();
    for frame in 0..FRAMES {
        file.write_all(b"FRAME\n").unwrap();
        file.write_all(&[frame as u8; 32 * 32]).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    walk(&path);

    // Two frames in turn, each of which stands by itself.
    let pictures = [vec![40; 32 * 32 * 3], vec![200; 32 * 32 * 3]];
    let encoded = encode(32, 32, &pictures, true);
    let media = encoded.frames.concat();
    let sizes: Vec<u32> = (0..FRAMES)
        .map(|frame| encoded.frames[frame % 2].len() as u32)
        .collect();
    let second = 24 + encoded.frames[0].len() as u32;
    let chunks: Vec<u32> = (0..FRAMES).map(|frame| [24, second][frame % 2]).collect();
    let contents = Contents {
        codec: b"avc1",
        config: &encoded.config,
        size: [32, 32],
        sizes: &sizes,
        runs: &[[1, 1]],
        chunks: &chunks,
    };
    let path = folder.path().join("long.mp4");
    let head = (media.len() as u32 + 8).to_be_bytes();
    let content = [
        kind(),
        head.to_vec(),
        b"mdat".to_vec(),
        media,
        contents.to_bytes(),
    ]
    .concat();
    std::fs::write(&path, content).unwrap();
    PEAK.store(LIVE.load(Ordering::Relaxed), Ordering::Relaxed);
    walk(&path);
}
