//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, ValueEnum};
use moving_digits::plan::Plan;
use moving_digits::recurrent::Layer;
use moving_digits::session::Settings;

/// Steps of the default run: about three minutes on two cores.
const STEPS: usize = 1500;

/// Steps of a full run before the learning rate falls, at most.
const FULL_STEPS: usize = 6000;

/// What a recurrent layer remembers: two handwritten digits drift across a video in which every
/// other frame is damaged. Trains networks with and without a memory to say where which digit is,
/// and shows what each of them sees.
///
/// Writes table.md, curves.png and digits.gif. Ctrl-C saves; --resume goes on to the same bits.
#[derive(Debug, Parser)]
#[command(name = "moving-digits", version)]
pub struct Cli {
    /// Make the published table: all four networks, three seeds, a learning rate chosen for each
    /// network, trained until the validation score stands still. Takes hours
    #[arg(long)]
    pub full: bool,

    /// The networks to train, by their recurrent layer [default: no-memory,bottleneck-lstm; with
    /// --full all]
    #[arg(long, value_name = "LAYER,..", value_delimiter = ',', value_parser = layer())]
    pub models: Vec<Layer>,

    /// Training steps of a network; with --full, those before its learning rate falls, at most
    /// [default: 1500; with --full 6000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: Option<u32>,

    /// What weights and videos are derived from; with --full, the first of three
    #[arg(long, value_name = "N", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u64).range(..u64::MAX - 8))]
    pub seed: u64,

    /// What computes
    #[arg(long, value_enum, default_value_t = Backend::Flex)]
    pub backend: Backend,

    /// Networks that train at a time, each on one thread [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,

    /// Where files go [default: target/moving-digits; with --full target/moving-digits-full]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,

    /// Write the trained networks there too, as LAYER.safetensors, for other programs to load
    #[arg(long, value_name = "FOLDER")]
    pub save_weights: Option<PathBuf>,

    /// Go on with the run in the folder, as it was started
    #[arg(long, conflicts_with_all = ["restart", "models", "steps", "seed", "backend"])]
    pub resume: bool,

    /// Discard an unfinished run in the folder
    #[arg(long)]
    pub restart: bool,
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// Burn's Flex, with the fused CPU runner
    Flex,
    /// Burn's NdArray, with the fused CPU runner
    Ndarray,
    /// The GPU; needs the feature of this name: cargo run --features wgpu
    Wgpu,
}

impl Backend {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().into())
            .unwrap_or_default()
    }
}

fn layer() -> impl TypedValueParser<Value = Layer> {
    PossibleValuesParser::new(Layer::ALL.map(Layer::slug)).try_map(|name| {
        let layer = Layer::ALL.into_iter().find(|layer| layer.slug() == name);
        layer.ok_or("no such layer")
    })
}

impl Cli {
    /// Where files go.
    pub fn folder(&self) -> PathBuf {
        let default = if self.full {
            "target/moving-digits-full"
        } else {
            "target/moving-digits"
        };
        self.out.clone().unwrap_or_else(|| default.into())
    }

    /// What to train, if this is not to go on with another run.
    pub fn settings(&self) -> Settings {
        let mut layers = self.models.clone();
        if layers.is_empty() {
            layers = match self.full {
                true => Layer::ALL.to_vec(),
                false => vec![Layer::NoMemory, Layer::BottleneckLstm],
            };
        }
        // In the order of the table, each once.
        layers.sort_by_key(|layer| Layer::ALL.iter().position(|other| other == layer));
        layers.dedup();
        let steps = |default| self.steps.map_or(default, |steps| steps as usize);
        let plan = match self.full {
            true => Plan::full(layers, self.seed, steps(FULL_STEPS)),
            false => Plan::quick(layers, self.seed, steps(STEPS)),
        };
        Settings {
            backend: self.backend.name(),
            plan,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(arguments: &str) -> Result<Cli, String> {
        let arguments = std::iter::once("moving-digits").chain(arguments.split_whitespace());
        Cli::try_parse_from(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_default_compares_no_memory_with_the_bottleneck() {
        let cli = parse("").unwrap();
        let settings = cli.settings();
        assert_eq!(
            settings.plan.layers,
            [Layer::NoMemory, Layer::BottleneckLstm]
        );
        assert_eq!(settings.plan.seeds, [0]);
        assert_eq!(settings.backend, "flex");
        assert_eq!(cli.folder(), PathBuf::from("target/moving-digits"));
    }

    #[test]
    fn the_full_run_has_every_layer_three_seeds_and_two_learning_rates() {
        let cli = parse("--full --seed 5").unwrap();
        let plan = cli.settings().plan;
        assert_eq!(plan.layers, Layer::ALL);
        assert_eq!(plan.seeds, [5, 6, 7]);
        assert_eq!(plan.learning_rates, [1e-3, 3e-3]);
        assert_eq!(cli.folder(), PathBuf::from("target/moving-digits-full"));
    }

    #[test]
    fn models_are_ordered_as_in_the_table_and_named_once() {
        let cli = parse("--models conv-gru,no-memory,conv-gru").unwrap();
        assert_eq!(
            cli.settings().plan.layers,
            [Layer::NoMemory, Layer::ConvGru]
        );
    }

    #[test]
    fn wrong_arguments_are_named() {
        let error = parse("--models lstm").unwrap_err();
        assert!(error.contains("invalid value 'lstm'"), "{error}");
        assert!(
            error.contains("no-memory, conv-lstm, conv-gru, bottleneck-lstm"),
            "{error}"
        );
        let error = parse("--steps 0").unwrap_err();
        assert!(
            error.contains("invalid value '0' for '--steps <N>'"),
            "{error}"
        );
        let error = parse("--backend cuda").unwrap_err();
        assert!(error.contains("flex, ndarray, wgpu"), "{error}");
        let error = parse("--resume --steps 7").unwrap_err();
        assert!(
            error.contains("'--resume' cannot be used with '--steps <N>'"),
            "{error}"
        );
        parse("--resume --full --out somewhere --jobs 3").unwrap();
    }
}
