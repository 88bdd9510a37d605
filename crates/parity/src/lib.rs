//! One suite that every backend and runner passes.
//!
//! [`suite!`] makes a module of tests for a runner on a backend, on the backend itself and under
//! `Autodiff`:
//!
//! ```
//! use bottleneck_lstm::Reference;
//! use burn_flex::Flex;
//!
//! parity::suite!(flex, Flex, Reference);
//! # fn main() {}
//! ```
//!
//! The numbers to reproduce are the fixtures, which `cargo xtask reference` computes in PyTorch;
//! what needs other sizes is compared with the reference runner in `f64`. Each check is a function
//! over backend and runner. It panics where it fails, as a test does.

pub mod baselines;
pub mod case;
pub mod compare;
pub mod differentiate;
pub mod fixture;
pub mod fixtures;
pub mod gradients;
pub mod kinks;
pub mod layout;
pub mod parameters;
pub mod random;
pub mod sequences;
pub mod sizes;

#[doc(hidden)]
pub use bottleneck_lstm;
#[doc(hidden)]
pub use burn_autodiff;

/// The whole suite for a runner on a backend, as a module of tests.
#[macro_export]
macro_rules! suite {
    ($name:ident, $backend:ty, $runner:expr) => {
        mod $name {
            use super::*;

            $crate::results!(plain, $backend, $runner);
            $crate::results!(autodiff, $crate::burn_autodiff::Autodiff<$backend>, $runner);
            $crate::gradients!(gradients, $crate::burn_autodiff::Autodiff<$backend>, $runner);
            $crate::checks!(
                checkpoints,
                $crate::burn_autodiff::Autodiff<
                    $backend,
                    $crate::burn_autodiff::checkpoint::strategy::BalancedCheckpointing,
                >,
                $runner,
                [
                    fixtures::gradients_are_those_of_pytorch,
                    gradients::chunks_have_the_gradients_of_the_whole,
                ]
            );
        }
    };
}

/// The part of the suite that looks at results.
#[macro_export]
macro_rules! results {
    ($name:ident, $backend:ty, $runner:expr) => {
        $crate::checks!(
            $name,
            $backend,
            $runner,
            [
                fixtures::results_are_those_of_pytorch,
                fixtures::gates_are_those_of_pytorch,
                sequences::chunks_equal_the_whole,
                sequences::steps_equal_the_whole,
                sequences::a_step_yields_its_state,
                sequences::rows_are_independent,
                sequences::no_state_is_the_initial_state,
                sequences::a_reset_is_a_fresh_start,
                sequences::padding_touches_nothing,
                sequences::layouts_do_not_matter,
                sequences::the_state_has_the_type_of_the_input,
                sizes::awkward_sizes_give_the_same,
            ]
        );
    };
}

/// The part of the suite that looks at gradients, for an autodiff backend.
#[macro_export]
macro_rules! gradients {
    ($name:ident, $backend:ty, $runner:expr) => {
        $crate::checks!(
            $name,
            $backend,
            $runner,
            [
                fixtures::gradients_are_those_of_pytorch,
                gradients::frozen_tensors_have_none,
                gradients::nothing_is_tracked_without_need,
                gradients::chunks_have_the_gradients_of_the_whole,
                gradients::each_result_has_its_own,
                gradients::an_optimiser_moves_what_trains,
                sizes::awkward_sizes_have_the_same_gradients,
            ]
        );
    };
}

/// The checks of ConvLSTM, ConvGRU and the stack on a backend, as a module of tests.
#[macro_export]
macro_rules! baselines {
    ($name:ident, $backend:ty) => {
        mod $name {
            use super::*;

            $crate::baselines!(
                conv_lstm, $backend, ConvLstm,
                [results_are_those_of_pytorch, chunks_equal_the_whole],
                [gradients_are_those_of_pytorch, an_optimiser_moves_everything]
            );
            $crate::baselines!(
                conv_gru, $backend, ConvGru,
                [results_are_those_of_pytorch, chunks_equal_the_whole],
                [gradients_are_those_of_pytorch, an_optimiser_moves_everything]
            );
            $crate::baselines!(
                stack, $backend, BottleneckLstmStack,
                [chunks_equal_the_whole],
                [an_optimiser_moves_everything]
            );
        }
    };
    (
        $name:ident, $backend:ty, $cell:ident,
        [$($check:ident),*], [$($gradients:ident),*]
    ) => {
        mod $name {
            use super::*;
            use $crate::baselines;

            type Autodiff = $crate::burn_autodiff::Autodiff<$backend>;
            type Cell<B> = $crate::bottleneck_lstm::$cell<B>;

            $(
                #[test]
                fn $check() {
                    baselines::$check::<$backend, Cell<$backend>>();
                }
            )*

            $(
                #[test]
                fn $gradients() {
                    baselines::$gradients::<Autodiff, Cell<Autodiff>>();
                }
            )*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! checks {
    ($name:ident, $backend:ty, $runner:expr, [$($group:ident :: $check:ident),* $(,)?]) => {
        mod $name {
            use super::*;

            $(
                #[test]
                fn $check() {
                    $crate::$group::$check::<$backend, _>(&$runner);
                }
            )*
        }
    };
}

/// The code in the front pages of the workspace.
#[cfg(doctest)]
mod front_pages {
    #[doc = include_str!("../../../README.md")]
    struct English;

    #[doc = include_str!("../../../README.zh.md")]
    struct Chinese;
}
