//! Packed weights, kept from one call to the next.
//!
//! To pack the weights takes as long as a step from 1024 to 256 channels, and most calls come with
//! those of the call before.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bottleneck_lstm::fused::CellTensors;
use bottleneck_lstm_kernels::{Instructions, Packed, Plan};
use burn::tensor::ops::FloatTensor;

use crate::backend::CpuBackend;
use crate::call::{Call, weights};

/// What a runner packed last, if anything.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Option<Box<dyn Any + Send>>>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

/// Weights and what was made of them.
struct Entry<B: CpuBackend> {
    /// Of one step.
    plan: Plan,
    forget_bias: f64,
    instructions: Instructions,
    /// Nobody writes to tensors that somebody else holds: as long as these are here, other weights
    /// are elsewhere.
    tensors: Vec<FloatTensor<B>>,
    packed: Arc<Packed>,
}

impl Kept {
    /// The packed weights of `call`: those at hand if they are of the same tensors, else packed anew
    /// and kept.
    pub(crate) fn pack<B: CpuBackend>(
        &self,
        call: &Call<B>,
        forget_bias: f64,
        instructions: Instructions,
    ) -> Arc<Packed> {
        let plan = Plan {
            time: 1,
            ..call.plan.clone()
        };
        let tensors = weight_tensors(&call.tensors);
        if let Some(entry) = self
            .lock()
            .as_ref()
            .and_then(|it| it.downcast_ref::<Entry<B>>())
            && (&entry.plan, entry.forget_bias) == (&plan, forget_bias)
            && entry.instructions == instructions
            && same::<B>(&entry.tensors, &tensors)
        {
            return Arc::clone(&entry.packed);
        }
        let weights = weights::<B>(&call.tensors);
        let packed = Arc::new(Packed::new(&plan, &weights, forget_bias, instructions));
        *self.lock() = Some(Box::new(Entry::<B> {
            plan,
            forget_bias,
            instructions,
            tensors,
            packed: Arc::clone(&packed),
        }));
        packed
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Box<dyn Any + Send>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether all of `one` lie where all of `other` do.
fn same<B: CpuBackend>(one: &[FloatTensor<B>], other: &[FloatTensor<B>]) -> bool {
    let pairs = one.iter().zip(other);
    one.len() == other.len()
        && pairs
            .map(|(one, other)| (B::slice(one), B::slice(other)))
            .all(|(one, other)| std::ptr::eq(one, other))
}

/// The weights that there are. The first depthwise bias goes with the plan, peepholes come in threes
/// and the gates' biases are one tensor, so their number tells which they are.
fn weight_tensors<T: Clone>(tensors: &CellTensors<T>) -> Vec<T> {
    let always = [
        &tensors.depthwise,
        &tensors.bottleneck,
        &tensors.bottleneck_bias,
        &tensors.bottleneck_depthwise,
        &tensors.gates,
    ];
    let sometimes = [
        &tensors.depthwise_bias,
        &tensors.gates_bias,
        &tensors.peephole_input,
        &tensors.peephole_forget,
        &tensors.peephole_output,
    ];
    let sometimes = sometimes.into_iter().flatten();
    always.into_iter().chain(sometimes).cloned().collect()
}
