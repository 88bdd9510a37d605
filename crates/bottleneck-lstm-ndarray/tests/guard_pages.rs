//! Steps on slices that lie against a page that must not be touched: a read or a write beyond an
//! end kills the process.
#![cfg(unix)]

use bottleneck_lstm::{BottleneckLstmConfig, Peephole};
use bottleneck_lstm_ndarray::{CpuRunner, Instructions};
use burn_flex::Flex;

/// Values between two guard pages, against one of them.
struct Guarded {
    pages: *mut libc::c_void,
    bytes: usize,
    values: *mut f32,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
enum Against {
    Front,
    Back,
}

impl Guarded {
    fn new(values: &[f32], against: Against) -> Self {
        // SAFETY: asks for a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page = usize::try_from(page).expect("a page has a size");
        let size = size_of_val(values);
        let inner = size.div_ceil(page) * page;
        let bytes = inner + 2 * page;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: new memory at no particular place, of no file.
        let pages =
            unsafe { libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
        assert_ne!(pages, libc::MAP_FAILED, "no memory");
        let offset = match against {
            Against::Front => page,
            Against::Back => page + inner - size,
        };
        // SAFETY: `page` and `offset`, a multiple of 4, lie within the mapping, of which the pages
        // from `page` on for `inner` bytes become accessible; nothing else knows of it.
        let place = unsafe {
            let begin = pages.byte_add(page);
            let access = libc::PROT_READ | libc::PROT_WRITE;
            assert_eq!(libc::mprotect(begin, inner, access), 0);
            let place = pages.byte_add(offset).cast::<f32>();
            place.copy_from_nonoverlapping(values.as_ptr(), values.len());
            place
        };
        Self {
            pages,
            bytes,
            values: place,
            len: values.len(),
        }
    }

    fn slice(&self) -> &[f32] {
        // SAFETY: `len` values were written there, and live as long as the mapping, as `self`.
        unsafe { std::slice::from_raw_parts(self.values, self.len) }
    }

    fn slice_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `slice`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.values, self.len) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's own, and no slice of it is left.
        unsafe { libc::munmap(self.pages, self.bytes) };
    }
}

fn value(index: usize) -> f32 {
    (index as f32 * 0.37).sin()
}

#[test]
fn steps_stay_within_their_slices() {
    let device = Default::default();
    for (ci, m, kernel, spatial) in [
        (1, 2, 3, [1, 1]),
        (3, 2, 5, [1, 7]),
        (7, 6, 7, [9, 1]),
        (8, 8, 3, [3, 5]),
        (9, 10, 3, [5, 3]),
        (15, 16, 5, [2, 4]),
        (17, 18, 1, [7, 11]),
        (33, 34, 3, [31, 17]),
    ] {
        let cell = BottleneckLstmConfig::new(ci, m).with_kernel_size(kernel);
        let grouped = BottleneckLstmConfig::tensorflow(ci, 2 * m)
            .with_kernel_size(kernel)
            .with_groups(2)
            .with_peephole(Peephole::PerPosition(spatial))
            .with_scale_state(true)
            .with_output_bottleneck(true);
        for config in [cell, grouped] {
            let cell = config.init::<Flex>(&device);
            for instructions in Instructions::available() {
                for threads in [1, 3] {
                    let runner = CpuRunner::new()
                        .with_instructions(instructions)
                        .with_threads(threads);
                    for batch in [1, 2] {
                        let area = batch * spatial[0] * spatial[1];
                        let x = (0..area * ci).map(value).collect::<Vec<_>>();
                        let mut expected = vec![0.0; area * config.output_channels()];
                        let mut stream = runner.stream(&cell, batch, spatial);
                        stream.step_into(&x, &mut expected).unwrap();
                        for against in [Against::Front, Against::Back] {
                            stream.reset();
                            let x = Guarded::new(&x, against);
                            let blank = vec![f32::NAN; expected.len()];
                            let mut output = Guarded::new(&blank, against);
                            stream.step_into(x.slice(), output.slice_mut()).unwrap();
                            assert_eq!(output.slice(), expected, "{against:?}");
                        }
                    }
                }
            }
        }
    }
}
