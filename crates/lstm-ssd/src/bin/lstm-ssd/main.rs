//! `lstm-ssd`: finds objects in video, and says how well.

mod chart;
mod cli;
mod detect;
mod detector;
mod distill;
mod evaluate;
mod info;
mod memory;
mod output;
mod render;
mod score;
mod table;
mod walk;
mod watch;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use cli::{Cli, Command, Input};
use detector::Job;
use walk::Ended;

/// The exit status of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(Ended::Whole) => ExitCode::SUCCESS,
        Ok(Ended::Interrupted) => {
            eprintln!("Stopped. What was computed so far is kept.");
            ExitCode::from(INTERRUPTED)
        }
        // As `head` does when it has enough: no failure.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn run(cli: &Cli) -> Result<Ended> {
    match &cli.command {
        Command::Detect(args) => with(&args.input, args),
        Command::Evaluate(args) => with(&args.input, args),
        Command::Distill(args) => args.run(),
        Command::Train(args) => args.run(),
        Command::Info(args) => args.run(),
    }
}

fn with(input: &Input, job: &impl Job) -> Result<Ended> {
    detector::with(&input.weights, &input.memory, input.compute.backend, job)
}
