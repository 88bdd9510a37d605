//! A graph as steps, each of which reads and writes buffers.

use bottleneck_lstm_kernels::separable::{
    Chain, Depthwise, Head, Pointwise, Spatial, Stem, Window,
};
use bottleneck_lstm_kernels::{Instructions, LANES};

use super::graph::{Activation, Convolution, Graph, Kind, Map, Operation};

/// What is done at a time.
#[derive(Debug)]
pub(super) struct Step {
    /// Layers that it computes.
    pub name: String,
    pub work: Work,
    /// The map that it makes.
    pub to: Map,
}

#[derive(Debug)]
pub(super) enum Work {
    /// Turns the frame into octets.
    Gather,
    Chain {
        chain: Box<Chain>,
        from: Map,
        residual: Option<Map>,
    },
    Add(Map, Map),
}

impl Step {
    /// The maps that it reads.
    fn reads(&self) -> impl Iterator<Item = Map> {
        let (one, other) = match &self.work {
            Work::Gather => (None, None),
            Work::Chain { from, residual, .. } => (Some(*from), *residual),
            Work::Add(one, other) => (Some(*one), Some(*other)),
        };
        one.into_iter().chain(other)
    }

    /// Multiply-accumulates of a frame.
    pub fn macs(&self) -> usize {
        match &self.work {
            Work::Chain { chain, .. } => chain.macs(),
            Work::Gather | Work::Add(..) => 0,
        }
    }

    /// Whether it reads the frame as it comes.
    pub fn reads_planes(&self) -> bool {
        matches!(&self.work, Work::Chain { chain, .. } if chain.reads_planes())
    }
}

/// The steps of `graph`.
pub(super) fn steps(graph: &Graph, instructions: Instructions) -> Vec<Step> {
    let planner = Planner::new(graph, instructions);
    let mut done = vec![false; graph.nodes.len()];
    let mut steps = Vec::new();
    for index in 1..graph.nodes.len() {
        if !done[index] {
            let (step, nodes) = planner.step(Map(index));
            for map in nodes {
                done[map.0] = true;
            }
            steps.push(step);
        }
    }
    let wanted = |step: &Step| !step.reads_planes() && step.reads().any(|map| map == Map(0));
    let yielded = graph.outputs.iter().flat_map(|(maps, _)| maps);
    if steps.iter().any(wanted) || yielded.into_iter().any(|map| *map == Map(0)) {
        let gather = Step {
            name: "input".into(),
            work: Work::Gather,
            to: Map(0),
        };
        steps.insert(0, gather);
    }
    steps
}

/// A buffer for every map that leaves a step, shared by maps that are not wanted at a time.
#[derive(Debug)]
pub(super) struct Places {
    /// Of each map.
    pub of: Vec<Option<usize>>,
    /// Octets of each buffer.
    pub sizes: Vec<usize>,
}

/// The buffers of `steps`. Outputs are read as soon as they are there.
pub(super) fn places(graph: &Graph, steps: &[Step]) -> Places {
    let mut places = Places {
        of: vec![None; graph.nodes.len()],
        sizes: Vec::new(),
    };
    let mut last = vec![0; graph.nodes.len()];
    for (index, step) in steps.iter().enumerate() {
        for map in step.reads() {
            last[map.0] = index;
        }
    }
    let mut free: Vec<usize> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let size = octets(graph.nodes[step.to.0].shape);
        // The one that grows least.
        let best = (0..free.len()).min_by_key(|at| size.abs_diff(places.sizes[free[*at]]));
        let place = match best {
            Some(at) => free.swap_remove(at),
            None => {
                places.sizes.push(0);
                places.sizes.len() - 1
            }
        };
        places.sizes[place] = size.max(places.sizes[place]);
        places.of[step.to.0] = Some(place);
        let over = |map: &Map| last[map.0] <= index;
        let mut ended: Vec<usize> = step
            .reads()
            .chain([step.to])
            .filter(over)
            .filter_map(|map| places.of[map.0])
            .collect();
        ended.sort_unstable();
        ended.dedup();
        free.extend(ended);
    }
    places
}

/// Octets of a map.
pub(super) fn octets([channels, height, width]: [usize; 3]) -> usize {
    channels.div_ceil(LANES) * height * width
}

struct Planner<'a> {
    graph: &'a Graph,
    instructions: Instructions,
    /// Of each map, the only node that reads it.
    reader: Vec<Option<Map>>,
}

impl<'a> Planner<'a> {
    fn new(graph: &'a Graph, instructions: Instructions) -> Self {
        let mut readers = vec![Vec::new(); graph.nodes.len()];
        for (index, node) in graph.nodes.iter().enumerate() {
            for map in node.inputs() {
                readers[map.0].push(Some(Map(index)));
            }
        }
        for map in graph.outputs.iter().flat_map(|(maps, _)| maps) {
            readers[map.0].push(None);
        }
        let only = |readers: Vec<Option<Map>>| match readers[..] {
            [reader] => reader,
            _ => None,
        };
        Self {
            graph,
            instructions,
            reader: readers.into_iter().map(only).collect(),
        }
    }

    /// The step that begins with a node, and the nodes that it computes.
    fn step(&self, first: Map) -> (Step, Vec<Map>) {
        let (from, convolution) = match &self.graph.nodes[first.0].operation {
            Operation::Input => unreachable!("the input is no step's result"),
            Operation::Add(one, other) => {
                let step = Step {
                    name: "add".into(),
                    work: Work::Add(*one, *other),
                    to: first,
                };
                return (step, vec![first]);
            }
            Operation::Convolve(from, convolution) => (*from, convolution),
        };
        let mut nodes = vec![first];
        let (mut head, mut spatial, mut project) = (None, None, None);
        let mut last = (first, convolution);
        let is_stem = from == self.graph.input() && convolution.kind == Kind::Dense;
        if is_stem || convolution.kind == Kind::Pointwise {
            let windows = self
                .next(first)
                .filter(|(_, next)| next.kind != Kind::Pointwise);
            if is_stem || windows.is_some() {
                head = Some(self.head(first, convolution));
            }
            if let Some(next) = windows {
                nodes.push(next.0);
                last = next;
            }
        }
        match last.1.kind {
            Kind::Pointwise => project = Some(self.pointwise(last.1)),
            Kind::Dense if head.is_some() && last.0 == first => {}
            Kind::Dense => {
                let octets = last.1.channels[0].div_ceil(LANES);
                spatial = Some(Spatial::Columns(self.window(last.0), octets));
                project = Some(self.dense(last.1));
            }
            Kind::Depthwise => {
                spatial = Some(self.depthwise(last.0, last.1));
                if let Some(next) = self
                    .next(last.0)
                    .filter(|(_, next)| next.kind == Kind::Pointwise)
                {
                    nodes.push(next.0);
                    last = next;
                    project = Some(self.pointwise(last.1));
                }
            }
        }
        let name = name(&nodes, |map| self.convolution(map).map(|it| &*it.name));
        let mut to = last.0;
        let mut residual = None;
        if project.is_some()
            && last.1.activation == Activation::Identity
            && let Some((sum, other)) = self.sum(to).filter(|(_, other)| other.0 < first.0)
        {
            nodes.push(sum);
            (to, residual) = (sum, Some(other));
        }
        let [_, height, width] = self.graph.nodes[from.0].shape;
        let chain = Chain::new([height, width], head, spatial, project, self.instructions);
        let work = Work::Chain {
            chain: Box::new(chain),
            from,
            residual,
        };
        (Step { name, work, to }, nodes)
    }

    fn convolution(&self, map: Map) -> Option<&'a Convolution> {
        match &self.graph.nodes[map.0].operation {
            Operation::Convolve(_, convolution) => Some(convolution),
            _ => None,
        }
    }

    /// The only one that reads a map, if it is a convolution.
    fn next(&self, map: Map) -> Option<(Map, &'a Convolution)> {
        let reader = self.reader[map.0]?;
        Some((reader, self.convolution(reader)?))
    }

    /// The sum that alone reads a map, and its other map.
    fn sum(&self, map: Map) -> Option<(Map, Map)> {
        let reader = self.reader[map.0]?;
        match &self.graph.nodes[reader.0].operation {
            Operation::Add(one, other) if *one == map => Some((reader, *other)),
            Operation::Add(one, _) => Some((reader, *one)),
            _ => None,
        }
    }

    /// The windows of a convolution.
    fn window(&self, map: Map) -> Window {
        let node = &self.graph.nodes[map.0];
        let Operation::Convolve(from, convolution) = &node.operation else {
            unreachable!("only a convolution has windows");
        };
        let [_, height, width] = self.graph.nodes[from.0].shape;
        Window {
            map: [height, width],
            stride: convolution.stride,
        }
    }

    fn head(&self, map: Map, convolution: &Convolution) -> Head {
        let Convolution {
            kind,
            channels,
            activation,
            weight,
            bias,
            ..
        } = convolution;
        match kind {
            Kind::Dense => {
                let window = self.window(map);
                let activation = (*activation).into();
                Head::Stem(Stem::new(window, channels[0], weight, bias, activation))
            }
            _ => Head::Pointwise(self.pointwise(convolution)),
        }
    }

    fn depthwise(&self, map: Map, convolution: &Convolution) -> Spatial {
        let Convolution {
            activation,
            weight,
            bias,
            ..
        } = convolution;
        let window = self.window(map);
        Spatial::Depthwise(Depthwise::new(window, weight, bias, (*activation).into()))
    }

    fn pointwise(&self, convolution: &Convolution) -> Pointwise {
        let Convolution {
            channels,
            activation,
            weight,
            bias,
            ..
        } = convolution;
        let activation = (*activation).into();
        Pointwise::new(channels[0], weight, bias, activation, self.instructions)
    }

    fn dense(&self, convolution: &Convolution) -> Pointwise {
        let Convolution {
            channels,
            activation,
            weight,
            bias,
            ..
        } = convolution;
        let activation = (*activation).into();
        Pointwise::dense(channels[0], weight, bias, activation, self.instructions)
    }
}

/// What a step is called: its layers, of which those after the first go by the end of their names if they
/// begin alike.
fn name<'a>(nodes: &[Map], of: impl Fn(Map) -> Option<&'a str>) -> String {
    let mut name = String::new();
    let mut stem = "";
    for part in nodes.iter().filter_map(|map| of(*map)) {
        let (own, end) = part.rsplit_once('.').unwrap_or(("", part));
        match name.is_empty() {
            true => name.push_str(part),
            false if own == stem => name = format!("{name}, {end}"),
            false => name = format!("{name}, {part}"),
        }
        stem = own;
    }
    name
}
