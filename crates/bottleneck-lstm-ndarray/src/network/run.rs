//! A planned network.

use std::time::{Duration, Instant};

use bottleneck_lstm_kernels::separable::{Scratch, Source, add, channels_last, gather, scatter};
use bottleneck_lstm_kernels::{Buffer, Team, awake};

use super::GraphError;
use super::graph::{Graph, Layout, Map};
use super::plan::{self, Step, Work};
use crate::CpuRunner;

/// A network of separable convolutions, planned for frame after frame: weights are packed once, and scratch
/// memory belongs to it. Made by [`CpuRunner::network`].
#[derive(Debug)]
pub struct Network {
    steps: Vec<Step>,
    /// Of every map, channels, height and width.
    shapes: Vec<[usize; 3]>,
    /// Which buffer holds a map.
    places: Vec<Option<usize>>,
    /// Empty while it is written to.
    buffers: Vec<Option<Buffer>>,
    scratch: Scratch,
    team: Team,
    outputs: Vec<Vec<f32>>,
    /// What becomes of the maps: map, layout, output, and its first value there.
    yields: Vec<(Map, Layout, usize, usize)>,
}

/// How long a step took.
#[derive(Debug, Clone, PartialEq)]
pub struct StepTime {
    /// The layers that it computes.
    pub name: String,
    /// Its multiply-accumulates, channels that fill up octets included.
    pub macs: usize,
    /// The time it took.
    pub time: Duration,
}

impl CpuRunner {
    /// Plans `graph`, for frame after frame.
    pub fn network(&self, graph: &Graph) -> Network {
        let steps = plan::steps(graph, self.instructions());
        let places = plan::places(graph, &steps);
        let macs = steps.iter().map(Step::macs).sum();
        let team = self.team(self.threads(macs));
        let chains = steps.iter().filter_map(|step| match &step.work {
            Work::Chain { chain, .. } => Some(&**chain),
            _ => None,
        });
        let scratch = Scratch::new(chains, team, self.memory());
        let take = |size: &usize| Some(self.memory().take(*size));
        let buffers = places.sizes.iter().map(take).collect();
        let mut yields = Vec::new();
        let mut outputs = Vec::new();
        for (index, (maps, layout)) in graph.outputs.iter().enumerate() {
            let mut first = 0;
            for map in maps {
                yields.push((*map, *layout, index, first));
                first += graph.nodes[map.0].shape.iter().product::<usize>();
            }
            outputs.push(vec![0.0; first]);
        }
        Network {
            steps,
            shapes: graph.nodes.iter().map(|node| node.shape).collect(),
            places: places.of,
            buffers,
            scratch,
            team,
            outputs,
            yields,
        }
    }
}

impl Network {
    /// Runs one frame, `[channels, height, width]`. Allocates nothing on one thread.
    ///
    /// # Errors
    ///
    /// If the frame has another number of values.
    pub fn run(&mut self, frame: &[f32]) -> Result<(), GraphError> {
        self.check(frame)?;
        let threads = self.team.threads;
        awake(threads, || {
            for index in 0..self.steps.len() {
                self.step(index, frame);
            }
        });
        Ok(())
    }

    /// As [`run`](Self::run); returns how long each step took.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn profile(&mut self, frame: &[f32]) -> Result<Vec<StepTime>, GraphError> {
        self.check(frame)?;
        let mut times = Vec::with_capacity(self.steps.len());
        let threads = self.team.threads;
        awake(threads, || {
            for index in 0..self.steps.len() {
                let begin = Instant::now();
                self.step(index, frame);
                let time = begin.elapsed();
                let step = &self.steps[index];
                times.push(StepTime {
                    name: step.name.clone(),
                    macs: step.macs(),
                    time,
                });
            }
        });
        Ok(times)
    }

    /// An output of the last frame, in the order in which the graph has them; zeros before the first.
    ///
    /// # Panics
    ///
    /// If there are not as many outputs.
    pub fn output(&self, index: usize) -> &[f32] {
        &self.outputs[index]
    }

    fn check(&self, frame: &[f32]) -> Result<(), GraphError> {
        let expected = self.shapes[0].iter().product();
        match frame.len() == expected {
            true => Ok(()),
            false => Err(GraphError::Frame {
                expected,
                found: frame.len(),
            }),
        }
    }

    fn step(&mut self, index: usize, frame: &[f32]) {
        let step = &self.steps[index];
        let instructions = self.team.instructions;
        let shape @ [channels, height, width] = self.shapes[step.to.0];
        let area = height * width;
        let place = self.places[step.to.0].expect("a step's result has a place");
        let mut buffer = self.buffers[place].take().expect("nobody reads it");
        let out = &mut buffer[..plan::octets(shape)];
        let map = |map: Map| {
            let place = self.places[map.0].expect("a map that is read has a place");
            let buffer = self.buffers[place].as_ref().expect("nobody writes to it");
            &buffer[..plan::octets(self.shapes[map.0])]
        };
        match &step.work {
            Work::Gather => gather(instructions, area, frame, out),
            Work::Add(one, other) => add(instructions, map(*one), map(*other), out),
            Work::Chain {
                chain,
                from,
                residual,
            } => {
                let source = match step.reads_planes() {
                    true => Source::Planes(frame),
                    false => Source::Octets(map(*from)),
                };
                let residual = residual.map(map);
                chain.run(self.team, source, residual, out, &mut self.scratch);
            }
        }
        for (_, layout, output, first) in self.yields.iter().filter(|(map, ..)| *map == step.to) {
            let to = &mut self.outputs[*output][*first..][..channels * area];
            match layout {
                Layout::ChannelsFirst => scatter(instructions, area, out, to),
                Layout::ChannelsLast => channels_last(area, channels, out, to),
            }
        }
        self.buffers[place] = Some(buffer);
    }
}
