//! How much of a result a thread computes, from what the device is like.

use std::thread::available_parallelism;

use cubecl::ir::HardwareProperties;

use crate::kernels::depthwise::{DepthwiseSizes, Patch};
use crate::kernels::product::Tile;

/// How much of a result a thread computes.
///
/// A thread that computes a large part of one loads less for each multiply-accumulate; small parts make more
/// threads to fill a device with. What a call takes is estimated for every size, and the least is taken: nothing is
/// tried out. Bits of a result do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tiling {
    /// As the device's properties suggest.
    #[default]
    ByDevice,
    /// For a GPU: thousands of threads, each with its sums in registers. Estimated, since no GPU was at hand to
    /// measure.
    Gpu,
    /// For a CPU that stands in for a GPU: few threads, each the lane of a vector register that loads for itself,
    /// with sums that may spill into the first-level cache. Measured on lavapipe.
    Cpu,
    /// As `Cpu`, and the lanes of a subgroup load together what all of them multiply. The adapter must have
    /// subgroup operations, else kernels do not compile and results are wrong; CubeCL does not check it here.
    CpuSubgroups,
}

impl Tiling {
    /// What it takes the threads of a device to be like.
    pub(crate) fn threads(self, hardware: &HardwareProperties) -> Threads {
        let lanes = hardware.plane_size_max;
        match self {
            Self::ByDevice if (1..=8).contains(&lanes) => Self::Cpu.threads(hardware),
            Self::ByDevice | Self::Gpu => Threads::GPU,
            Self::Cpu | Self::CpuSubgroups => {
                let (cube, cores) = (lanes.clamp(1, 8), available_parallelism());
                // Subgroups of other sizes would not be cubes.
                let together = self == Self::CpuSubgroups && hardware.plane_size_min == cube;
                Threads {
                    lanes: if together { cube as usize } else { 1 },
                    ..Threads::cpu(cube, cores.map_or(1, usize::from))
                }
            }
        }
    }
}

/// What the threads of a device are like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Threads {
    /// How many run side by side.
    at_a_time: usize,
    /// What loading a vector takes of a thread, in multiply-accumulates of single values.
    load: usize,
    /// Sums that a thread may have at most, in single values.
    sums: usize,
    /// Threads of a cube.
    pub cube: u32,
    /// Threads that load together, each cube a subgroup of them, or one.
    lanes: usize,
}

/// What is written out for a thread at most, in multiply-accumulates: about what the first-level cache holds of
/// instructions. And how much longer than a run it takes to compile, as far as that counts: a kernel for a tiny map is
/// not worth seconds of it.
const UNROLLED: usize = 1400;
const COMPILE: usize = 128;

/// Vectors of a tile at most: half of a 10×10 map.
const VECTORS: usize = 13;

impl Threads {
    const GPU: Self = Self {
        at_a_time: 8192,
        load: 8,
        sums: 64,
        cube: 64,
        lanes: 1,
    };

    /// Of so many `cores`, whose vector registers have the lanes of a cube each.
    fn cpu(cube: u32, cores: usize) -> Self {
        Self {
            at_a_time: cube as usize * cores,
            load: 80,
            sums: 512,
            cube,
            lanes: 1,
        }
    }

    /// What a kernel takes whose threads each do so much, besides the moment that it once takes to compile what is
    /// written out for one.
    fn cost(&self, threads: usize, unrolled: Work, repeats: usize) -> usize {
        let time = threads.div_ceil(self.at_a_time)
            * repeats
            * (unrolled.loads * self.load + unrolled.macs);
        time + unrolled.size() * COMPILE
    }

    /// For a product of `depth` planes of `area` vectors of `n` positions with weights in vectors of `m`, `rows`
    /// of them for each of the `channels` of a group.
    pub fn tile(
        &self,
        groups: usize,
        [channels, rows]: [usize; 2],
        depth: usize,
        area: usize,
        [n, m]: [usize; 2],
    ) -> Tile {
        let work = |tile: &Tile| Work {
            loads: rows * tile.channels + (tile.vectors * m).div_ceil(tile.lanes),
            // To hand a value round takes as long as two.
            macs: (rows * tile.channels + if tile.lanes > 1 { 2 } else { 0 })
                * tile.vectors
                * n
                * m,
        };
        let fits = |tile: &Tile| {
            rows * tile.channels * tile.vectors * n <= self.sums && work(tile).size() <= UNROLLED
        };
        let cost = |tile: &Tile| {
            let threads = tile.threads(groups, channels, area);
            self.cost(threads, work(tile), depth / m)
        };
        let tiles = powers(channels.div_ceil(self.lanes)).flat_map(|channels| {
            (1..=area.min(VECTORS)).map(move |vectors| Tile {
                channels,
                vectors,
                lanes: self.lanes,
            })
        });
        let smallest = Tile {
            channels: 1,
            vectors: 1,
            lanes: self.lanes,
        };
        tiles.filter(fits).min_by_key(cost).unwrap_or(smallest)
    }

    /// For a depthwise convolution of so many planes, on vectors of `n` positions.
    pub fn patch(&self, planes: usize, sizes: DepthwiseSizes, n: usize) -> Patch {
        let map = sizes.map;
        let (across, reach) = (map.width / n, map.side / 2);
        let margin = reach.div_ceil(n);
        let work = |patch: &Patch| {
            let beside = if patch.vectors == across {
                0
            } else {
                2 * margin
            };
            Work {
                loads: map.taps() + (patch.rows + 2 * reach) * (patch.vectors + beside),
                macs: patch.rows * patch.vectors * n * map.taps(),
            }
        };
        let fits = |patch: &Patch| {
            patch.rows * patch.vectors * n <= self.sums && work(patch).size() <= UNROLLED
        };
        let cost = |patch: &Patch| self.cost(planes * patch.threads(map, n), work(patch), 1);
        let patches = (1..=map.height).flat_map(|rows| {
            let wide = std::iter::once(across);
            let vectors = (1..=across.min(4)).chain(wide);
            vectors.map(move |vectors| Patch { rows, vectors })
        });
        let smallest = Patch {
            rows: 1,
            vectors: 1,
        };
        patches.filter(fits).min_by_key(cost).unwrap_or(smallest)
    }
}

/// What is written out for a thread.
struct Work {
    /// Vectors that it loads.
    loads: usize,
    /// Multiply-accumulates of single values.
    macs: usize,
}

impl Work {
    /// What compiling takes, in multiply-accumulates.
    fn size(&self) -> usize {
        8 * self.loads + self.macs
    }
}

/// Powers of two up to `most`, and the next one unless `most` is one.
fn powers(most: usize) -> impl Iterator<Item = usize> {
    let next = most.next_power_of_two();
    std::iter::successors(Some(1), |power| Some(2 * power)).take_while(move |power| *power <= next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::depthwise::Map;

    fn all() -> [Threads; 3] {
        let cpu = Threads::cpu(8, 2);
        [Threads::GPU, cpu, Threads { lanes: 8, ..cpu }]
    }

    fn square(side: usize, kernel: usize) -> DepthwiseSizes {
        DepthwiseSizes {
            map: Map {
                height: side,
                width: side,
                side: kernel,
            },
            groups: 1,
            shared: 64,
            own: 0,
            kernels: 64,
        }
    }

    #[test]
    fn tiles_keep_within_bounds() {
        for threads in all() {
            for channels in [1, 2, 3, 7, 8, 31, 32, 256] {
                for area in [1, 2, 5, 25, 99, 100, 1600] {
                    for (rows, n, m) in [(1, 4, 4), (4, 4, 4), (4, 1, 1), (1, 2, 4)] {
                        let tile = threads.tile(1, [channels, rows], channels, area, [n, m]);
                        assert!(rows * tile.channels * tile.vectors * n <= threads.sums);
                        assert!(tile.channels < 2 * channels && tile.vectors <= area);
                    }
                }
            }
            for (side, kernel) in [(1, 3), (2, 5), (10, 3), (13, 5), (80, 3), (7, 9)] {
                for n in [4, 2, 1] {
                    if side % n == 0 {
                        let patch = threads.patch(64, square(side, kernel), n);
                        assert!(patch.rows <= side && patch.vectors * n <= side);
                        assert!(patch.rows * patch.vectors * n <= threads.sums);
                    }
                }
            }
        }
    }

    #[test]
    fn a_gpu_has_more_and_smaller_tiles() {
        let tile = |threads: Threads| threads.tile(1, [256, 1], 1280, 25, [4, 4]);
        let [gpu, cpu] = [all()[0], all()[1]].map(|threads| tile(threads).threads(1, 256, 25));
        assert!(gpu > 8 * cpu, "{gpu} threads beside {cpu}");
    }

    #[test]
    fn a_tiny_map_is_not_worth_compiling_much() {
        let large = all()[1].tile(1, [64, 1], 512, 400, [4, 4]);
        let small = all()[1].tile(1, [4, 1], 4, 4, [4, 4]);
        assert!(large.channels * large.vectors > 16 * small.channels * small.vectors);
    }
}
