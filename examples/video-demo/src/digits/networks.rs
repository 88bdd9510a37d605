//! The networks of `moving-digits`, without a memory and with one, on any backend.

use std::time::Instant;

use bottleneck_lstm::{BottleneckLstmState, CellRunner};
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use moving_digits::detection::Belief;
use moving_digits::frame::SIDE;
use moving_digits::network::{self, Network};
use moving_digits::recurrent::{Layer, Recurrent, RecurrentState};
use moving_digits::weights::Card;
use video_demo_app::{Channels, Heat, Look, NetworkCard, Picture, Quantity, Times, View};

use super::source::found;
use super::weights::Weights;
use crate::networks::{Memory, NetworkError, Networks};

/// How often times are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Never: for a picture that is the same every time.
    Never,
    /// Every frame: where work is done when it is asked for.
    Always,
    /// One frame in so many: where a measurement has to wait for the device, which costs time itself.
    Sometimes(u64),
}

/// Several networks side by side.
pub struct Pair<B: Backend, R> {
    device: B::Device,
    runner: R,
    networks: Vec<One<B>>,
    timing: Timing,
    frames: u64,
}

struct One<B: Backend> {
    network: Network<B>,
    card: Card,
    state: Option<BottleneckLstmState<B>>,
    age: u64,
    /// The features of the last frame, and the state that it met.
    last: Option<(Tensor<B, 4>, Option<BottleneckLstmState<B>>)>,
}

/// The memory of one network, as plain numbers that any device can go on from.
struct State {
    /// `[batch, channels, height, width]` of both.
    shape: [usize; 4],
    cell: Vec<f32>,
    hidden: Vec<f32>,
    /// Frames that it goes back.
    age: u64,
}

/// The memories of all networks; none at the start of a video, or without a memory.
type States = Vec<Option<State>>;

/// A frame's way through one network, still on the device.
struct Passed<B: Backend> {
    probabilities: Tensor<B, 1>,
    heat: Option<Tensor<B, 4>>,
    features: Tensor<B, 4>,
    state: Option<BottleneckLstmState<B>>,
    times: Times,
}

impl<B: Backend, R: CellRunner<B>> Pair<B, R> {
    /// The networks with these weights.
    ///
    /// # Errors
    ///
    /// If they are not weights of such networks.
    pub fn new(
        weights: &Weights,
        runner: R,
        device: B::Device,
        timing: Timing,
    ) -> Result<Self, NetworkError> {
        let load = |(name, bytes, layer): (&str, &[u8], Layer)| {
            let (network, card) = moving_digits::weights::from_bytes(bytes, &device)
                .map_err(|error| NetworkError::Weights(format!("{name}: {error}")))?;
            if card.layer() != layer {
                let (wanted, found) = (layer.name(), card.layer().name());
                let what = format!("{name}: weights of {found}, not of {wanted}");
                return Err(NetworkError::Weights(what));
            }
            Ok(One {
                network,
                card,
                state: None,
                age: 0,
                last: None,
            })
        };
        let networks = weights.files().map(load);
        Ok(Self {
            networks: networks.into_iter().collect::<Result<_, _>>()?,
            device,
            runner,
            timing,
            frames: 0,
        })
    }

    fn is_timed(&self) -> bool {
        match self.timing {
            Timing::Never => false,
            Timing::Always => true,
            Timing::Sometimes(frames) => self.frames.is_multiple_of(frames),
        }
    }

    /// Waits for the device, if times are measured.
    fn lap(&self, since: &mut Instant) -> Result<f64, NetworkError> {
        if !self.is_timed() {
            return Ok(0.0);
        }
        B::sync(&self.device).map_err(|error| NetworkError::Failed(error.to_string()))?;
        let seconds = since.elapsed().as_secs_f64();
        *since = Instant::now();
        Ok(seconds)
    }

    fn pass(
        &self,
        one: &One<B>,
        frame: Tensor<B, 5>,
        look: Look,
    ) -> Result<Passed<B>, NetworkError> {
        let mut since = Instant::now();
        let features = one.network.encode(frame);
        let encode = self.lap(&mut since)?;
        let state = one.state.clone().map(RecurrentState::Lstm);
        let (remembered, state) = one.network.recur(&self.runner, features.clone(), state);
        let recurrent = self.lap(&mut since)?;
        let logits = one.network.classify(remembered);
        let probabilities = softmax(logits, 2).reshape([-1]);
        let head = self.lap(&mut since)?;
        let state = match state {
            Some(RecurrentState::Lstm(state)) => Some(state),
            _ => None,
        };
        let features = features.squeeze_dim(1);
        let heat = one.heat(look, &features, one.state.as_ref(), state.as_ref());
        Ok(Passed {
            probabilities,
            heat,
            features,
            state,
            times: Times {
                encode,
                recurrent,
                head,
            },
        })
    }
}

impl<B: Backend> One<B> {
    /// The part of the memory that is looked at, `[1, 1, height, width]`, at a step over `features` from `before`
    /// to `after`.
    fn heat(
        &self,
        look: Look,
        features: &Tensor<B, 4>,
        before: Option<&BottleneckLstmState<B>>,
        after: Option<&BottleneckLstmState<B>>,
    ) -> Option<Tensor<B, 4>> {
        let Some(Recurrent::BottleneckLstm(cell)) = self.network.recurrent() else {
            return None;
        };
        let map = match look.quantity? {
            Quantity::Hidden => after?.hidden.clone(),
            Quantity::Cell => after?.cell.clone(),
            gate => {
                let (_, gates) = cell.step_traced(features.clone(), before.cloned());
                match gate {
                    Quantity::Input => gates.input,
                    Quantity::Forget => gates.forget,
                    Quantity::Candidate => gates.candidate,
                    _ => gates.output,
                }
            }
        };
        let [_, channels, ..] = map.dims();
        Some(match look.channel {
            Some(channel) => map.narrow(1, channel.min(channels - 1), 1),
            // A mean rather than a sum, so that a gate stays between 0 and 1.
            None => map.square().mean_dim(1).sqrt(),
        })
    }
}

/// What was read back of [`One::heat`].
fn map(look: Look, values: &[f32], [height, width]: [usize; 2]) -> Heat {
    let limited = !matches!(
        look.quantity,
        Some(Quantity::Hidden | Quantity::Cell | Quantity::Candidate)
    );
    Heat {
        size: [width, height],
        values: values.to_vec(),
        limit: limited.then_some(1.0),
    }
}

/// Reads several tensors back at once: each read waits for the device.
fn read<B: Backend>(tensors: Vec<Tensor<B, 1>>) -> Result<Vec<f32>, NetworkError> {
    let failed = |error: &dyn std::fmt::Display| NetworkError::Failed(error.to_string());
    let data = Tensor::cat(tensors, 0)
        .try_into_data()
        .map_err(|error| failed(&error))?;
    let values = data.convert::<f32>().into_vec::<f32>();
    values.map_err(|error| failed(&format!("{error:?}")))
}

impl<B: Backend, R: CellRunner<B>> Networks for Pair<B, R> {
    fn cards(&self) -> Vec<NetworkCard> {
        let each = self.networks.iter().map(|one| {
            let layer = one.card.layer();
            let channels = one.network.recurrent().and_then(|layer| match layer {
                Recurrent::BottleneckLstm(cell) => Some(cell.config().hidden_channels),
                _ => None,
            });
            NetworkCard {
                name: layer.name().to_owned(),
                parameters: network::parameters(layer) as u64,
                macs: network::macs(layer),
                channels,
            }
        });
        each.collect()
    }

    fn quantities(&self) -> Vec<Quantity> {
        Quantity::MEMORY.to_vec()
    }

    fn look(&mut self, picture: &Picture, look: Look) -> Result<Vec<View>, NetworkError> {
        if picture.size() != [SIDE, SIDE] || picture.channels() != Channels::Grey {
            return Err(NetworkError::Picture {
                expected: [SIDE, SIDE],
                found: picture.size(),
            });
        }
        let values = picture.bytes().iter();
        let values: Vec<f32> = values.map(|byte| f32::from(*byte) / 255.0).collect();
        let data = TensorData::new(values, [1, 1, 1, SIDE, SIDE]);
        let frame = Tensor::<B, 5>::from_data(data, &self.device);

        let each = self.networks.iter();
        let passed = each
            .map(|one| self.pass(one, frame.clone(), look))
            .collect::<Result<Vec<_>, _>>()?;
        let start = Instant::now();
        let tensors = passed.iter().flat_map(|passed| {
            let heat = passed.heat.clone().map(|heat| heat.reshape([-1]));
            std::iter::once(passed.probabilities.clone()).chain(heat)
        });
        let values = read(tensors.collect())?;
        let reading = start.elapsed().as_secs_f64() / passed.len().max(1) as f64;

        let timed = self.is_timed();
        self.frames += 1;
        let mut values = values.as_slice();
        let mut take = |count: usize| {
            let (taken, rest) = values.split_at(count.min(values.len()));
            values = rest;
            taken
        };
        let views = self.networks.iter_mut().zip(passed).map(|(one, passed)| {
            let belief = Belief::new(take(Belief::LEN).to_vec());
            let detections = belief.detections(one.card.threshold);
            let heat = passed.heat.as_ref().map(|heat| {
                let [_, _, height, width] = heat.dims();
                map(look, take(height * width), [height, width])
            });
            one.last = Some((passed.features, one.state.take()));
            let remembers = passed.state.is_some();
            one.state = passed.state;
            one.age += 1;
            View {
                found: detections.iter().map(found).collect(),
                tally: None,
                heat,
                times: timed.then_some(Times {
                    head: passed.times.head + reading,
                    ..passed.times
                }),
                age: remembers.then_some(one.age),
            }
        });
        Ok(views.collect())
    }

    fn look_again(&mut self, look: Look) -> Result<Vec<Option<Heat>>, NetworkError> {
        let each = self.networks.iter().map(|one| {
            let Some((features, before)) = &one.last else {
                return Ok(None);
            };
            let heat = one.heat(look, features, before.as_ref(), one.state.as_ref());
            let Some(heat) = heat else { return Ok(None) };
            let [_, _, height, width] = heat.dims();
            let values = read(vec![heat.reshape([-1])])?;
            Ok(Some(map(look, &values, [height, width])))
        });
        each.collect()
    }

    fn reset(&mut self) {
        for one in &mut self.networks {
            one.state = None;
            one.age = 0;
        }
    }

    fn memory(&self) -> Result<Memory, NetworkError> {
        let each = self.networks.iter().map(|one| {
            let Some(state) = &one.state else {
                return Ok(None);
            };
            let values = |tensor: &Tensor<B, 4>| read(vec![tensor.clone().reshape([-1])]);
            Ok(Some(State {
                shape: state.cell.dims(),
                cell: values(&state.cell)?,
                hidden: values(&state.hidden)?,
                age: one.age,
            }))
        });
        let states: States = each.collect::<Result<_, NetworkError>>()?;
        Ok(Memory::new(states))
    }

    fn set_memory(&mut self, memory: &Memory) -> Result<(), NetworkError> {
        let fits = |(one, state): (&One<B>, &Option<State>)| match (one.network.recurrent(), state)
        {
            (_, None) => true,
            (Some(Recurrent::BottleneckLstm(cell)), Some(state)) => {
                let size = state.shape.iter().product::<usize>();
                state.shape[..2] == [1, cell.config().hidden_channels]
                    && [state.cell.len(), state.hidden.len()] == [size; 2]
            }
            _ => false,
        };
        let memory: &States = memory.get().ok_or(NetworkError::Memory)?;
        let same = memory.len() == self.networks.len();
        if !same || !self.networks.iter().zip(memory).all(fits) {
            return Err(NetworkError::Memory);
        }
        for (one, state) in self.networks.iter_mut().zip(memory) {
            let tensor = |values: &[f32], shape| {
                Tensor::from_data(TensorData::new(values.to_vec(), shape), &self.device)
            };
            one.age = state.as_ref().map_or(0, |state| state.age);
            one.state = state.as_ref().map(|state| {
                BottleneckLstmState::new(
                    tensor(&state.cell, state.shape),
                    tensor(&state.hidden, state.shape),
                )
            });
        }
        Ok(())
    }
}
