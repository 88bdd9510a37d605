//! `video-demo`: see the memory work.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use moving_digits::checkpoint;
use moving_digits::picture::gif;
use video_demo::cli::{Cli, Device};
use video_demo::desk::Desk;
use video_demo::headless::{self, Shot};
use video_demo::measure::{Measurement, measure};
use video_demo::program::{GpuOrWhy, Program};
use video_demo::raster::Raster;
use video_demo::sidecar;
use video_demo::stage::Painter;
use video_demo_app::{Compute, Settings};

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    match (&cli.out, cli.measure) {
        (Some(out), _) => picture(cli, out),
        (None, Some(seconds)) if cli.headless => {
            let (program, compute, painter) = without_window(cli)?;
            let video = cli.video.clone();
            let desk = move || Desk::new(Box::new(program), video, compute);
            let time = Duration::from_secs(seconds.into());
            let settings = cli.settings(Settings::default());
            let result = measure(settings, desk, painter, cli.size, time)?;
            println!("{result}");
            Ok(())
        }
        (None, _) => {
            if let Some(result) = window(cli)? {
                println!("{result}");
            }
            Ok(())
        }
    }
}

fn picture(cli: &Cli, out: &Path) -> Result<()> {
    let (program, compute, painter) = without_window(cli)?;
    let program = Box::new(program.without_times());
    let desk = Desk::new(program, cli.video.clone(), compute);
    let animated = out.extension().is_some_and(|ending| ending == "gif");
    let shot = Shot {
        frames: cli.frames.into(),
        size: cli.size,
        scale: cli.scale,
        settings: cli.settings(Settings::default()),
        every: animated,
    };
    let film = headless::render(&shot, desk, painter)?;
    let file = match animated {
        true => gif(&film.pictures, (film.seconds * 100.0).round() as u16)?,
        false => film
            .pictures
            .last()
            .context("no picture was drawn")?
            .to_png()?,
    };
    checkpoint::write(out, &file)?;
    let beside = out.with_extension("json");
    checkpoint::write(&beside, sidecar::to_json(&film.frames)?.as_bytes())?;
    eprintln!("wrote {} and {}", out.display(), beside.display());
    Ok(())
}

/// What there is to see, what computes, and something that draws without a window: on the GPU if that is asked for, and
/// else on the CPU, which every machine has.
fn without_window(cli: &Cli) -> Result<(Program, Compute, Box<dyn Painter>)> {
    let weights = cli.digits()?;
    let (compute, gpu, painter) = match cli.device {
        Device::Gpu => on_gpu(cli)?,
        Device::Auto | Device::Cpu => {
            let why = "it was not asked for".to_owned();
            let painter: Box<dyn Painter> = Box::new(Raster::new(cli.size));
            (Compute::Cpu, Err(why), painter)
        }
    };
    Ok((Program::new(weights, gpu, cli.setup()), compute, painter))
}

#[cfg(feature = "gpu")]
fn on_gpu(cli: &Cli) -> Result<(Compute, GpuOrWhy, Box<dyn Painter>)> {
    match video_demo::offscreen::Offscreen::new(cli.size) {
        Ok((painter, gpu)) => Ok((Compute::Gpu, Ok(gpu), Box::new(painter))),
        Err(why) => bail!("{why}; --device cpu needs none"),
    }
}

#[cfg(not(feature = "gpu"))]
fn on_gpu(_cli: &Cli) -> Result<(Compute, GpuOrWhy, Box<dyn Painter>)> {
    bail!(
        "this program was built without the GPU: leave out --no-default-features, or say --device cpu"
    )
}

#[cfg(feature = "window")]
fn window(cli: &Cli) -> Result<Option<Measurement>> {
    Ok(video_demo::window::open(cli)?)
}

#[cfg(not(feature = "window"))]
fn window(_cli: &Cli) -> Result<Option<Measurement>> {
    bail!("this program was built without its window; --headless works without one")
}
