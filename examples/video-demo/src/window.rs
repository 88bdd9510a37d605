//! The window.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use eframe::egui_wgpu::{WgpuConfiguration, WgpuSetup, WgpuSetupCreateNew};
use eframe::{CreationContext, Frame, NativeOptions, Storage};
use egui::{Ui, ViewportBuilder, ViewportCommand};
use thiserror::Error;
use video_demo_app::{App, Compute, Event, Request, Settings};

use crate::cli::{Cli, Device};
use crate::desk::{Desk, problem};
use crate::digits::Weights;
use crate::measure::{Measurement, Meter};
use crate::program::{GpuOrWhy, Program};
use crate::worker::Worker;

/// Where settings are kept.
const SETTINGS: &str = "settings";

/// The least size that everything fits, in points.
const LEAST: [f32; 2] = [1000.0, 600.0];

/// Why there is no window.
#[derive(Debug, Error)]
#[error("no window: {0}. Without a display, `--headless --out FILE.png` renders a picture of it")]
pub struct WindowError(String);

/// Opens the window, until the viewer closes it. Returns what was measured, if that was asked for.
///
/// If the device that draws is lost, the window opens anew, on the CPU.
///
/// # Errors
///
/// If there is no display, or nothing to draw with.
pub fn open(cli: &Cli) -> Result<Option<Measurement>, WindowError> {
    let mut lost = false;
    loop {
        let end = End::default();
        let creator_end = end.clone();
        let creator_cli = cli.clone();
        let result = eframe::run_native(
            "video-demo",
            options(cli),
            Box::new(move |context| {
                let window = Window::new(&creator_cli, context, creator_end, lost)?;
                Ok(Box::new(window))
            }),
        );
        if end.lost.load(Ordering::Relaxed) && !lost {
            lost = true;
            continue;
        }
        result.map_err(|error| WindowError(error.to_string()))?;
        let measured = end.measured.lock();
        return Ok(measured.unwrap_or_else(|error| error.into_inner()).take());
    }
}

/// What a window leaves when it closes.
#[derive(Debug, Clone, Default)]
struct End {
    lost: Arc<AtomicBool>,
    measured: Arc<Mutex<Option<Measurement>>>,
}

fn options(cli: &Cli) -> NativeOptions {
    let size = cli.size.map(|side| side as f32);
    let viewport = ViewportBuilder::default()
        .with_title("Bottleneck-LSTM: see the memory work")
        .with_app_id("bottleneck-lstm-video-demo")
        .with_inner_size(size)
        .with_min_inner_size(LEAST);
    #[cfg_attr(
        not(feature = "gpu"),
        expect(unused_mut, reason = "the GPU wants more of it")
    )]
    let mut setup = WgpuSetupCreateNew::without_display_handle();
    #[cfg(feature = "gpu")]
    {
        setup.device_descriptor = Arc::new(crate::gpu::descriptor_to_draw);
    }
    NativeOptions {
        viewport,
        // A measurement has the size that it says it has.
        persist_window: cli.measure.is_none(),
        wgpu_options: WgpuConfiguration {
            wgpu_setup: WgpuSetup::CreateNew(setup),
            ..Default::default()
        },
        ..Default::default()
    }
}

struct Window {
    app: App,
    worker: Worker,
    start: Instant,
    end: End,
    measuring: Option<Measuring>,
    keep_settings: bool,
}

/// A measurement under way.
struct Measuring {
    meter: Meter,
    time: Duration,
    due: Instant,
    news: bool,
}

impl Window {
    fn new(
        cli: &Cli,
        context: &CreationContext<'_>,
        end: End,
        lost: bool,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let before = context
            .storage
            .and_then(|storage| eframe::get_value(storage, SETTINGS))
            .unwrap_or_default();
        let settings = cli.settings(before);
        let gpu = gpu(context, &end);
        let compute = match (lost, cli.device) {
            (true, _) | (_, Device::Cpu) => Compute::Cpu,
            (_, Device::Gpu) => Compute::Gpu,
            (_, Device::Auto) => automatic(&gpu, &settings),
        };
        let (weights, foreign) = match cli.digits() {
            Ok(weights) => (weights, None),
            Err(error) => (Weights::embedded(), Some(error.to_string())),
        };
        let program = Program::new(weights, gpu, cli.setup());
        let video = cli.video.clone();
        let desk = move || Desk::new(Box::new(program), video, compute);
        let ctx = context.egui_ctx.clone();
        let worker = Worker::new(desk, move || ctx.request_repaint())?;
        let mut app = App::new(settings);
        if let Some(what) = foreign {
            let what = format!("{what}. The demo's own weights are in use.");
            app.receive(problem(what, Vec::new(), false));
        }
        if lost {
            let what =
                "The device that draws was lost. This is a new window, and the CPU computes.";
            app.receive(problem(what.to_owned(), Vec::new(), false));
        }
        Ok(Self {
            app,
            worker,
            start: Instant::now(),
            end,
            measuring: cli.measure.map(|seconds| Measuring {
                meter: Meter::new(),
                time: Duration::from_secs(seconds.into()),
                due: Instant::now(),
                news: false,
            }),
            keep_settings: cli.measure.is_none(),
        })
    }

    /// Hands news and the time to the app, and what it asks for to the worker.
    fn turn(&mut self) {
        while let Some(event) = self.worker.poll() {
            if let (Some(measuring), Event::Shown(_)) = (&mut self.measuring, &event) {
                measuring.news = true;
            }
            self.app.receive(event);
        }
        let now = self.start.elapsed().as_secs_f64();
        let late = Duration::from_secs_f64(self.app.lateness(now));
        self.app.tick(now);
        self.ask(late);
    }

    fn ask(&mut self, late: Duration) {
        for request in self.app.requests() {
            if let (Some(measuring), Request::Step(_)) = (&mut self.measuring, &request) {
                measuring.due = Instant::now() - late;
            }
            self.worker.ask(request);
        }
    }
}

impl eframe::App for Window {
    fn ui(&mut self, ui: &mut Ui, frame: &mut Frame) {
        if self.end.lost.load(Ordering::Relaxed) {
            ui.ctx().send_viewport_cmd(ViewportCommand::Close);
            return;
        }
        if let Some(seconds) = frame.info().cpu_usage {
            self.app.set_draw_time(seconds.into());
        }
        self.turn();
        self.app.show(ui);
        // What the viewer did meanwhile is not left for the next picture.
        self.ask(Duration::ZERO);
        if let Some(measuring) = &mut self.measuring
            && std::mem::take(&mut measuring.news)
        {
            measuring.meter.drawn(measuring.due, self.app.dropped());
            if measuring.meter.elapsed() >= measuring.time {
                let size = ui.ctx().content_rect().size() * ui.ctx().pixels_per_point();
                let screen = format!("{:.0}x{:.0} in a window", size.x, size.y);
                let result = measuring.meter.result(screen, self.app.dropped());
                let mut measured = self.end.measured.lock();
                if let Ok(measured) = &mut measured {
                    **measured = Some(result);
                }
                ui.ctx().send_viewport_cmd(ViewportCommand::Close);
            }
        }
    }

    fn save(&mut self, storage: &mut dyn Storage) {
        if self.keep_settings {
            eframe::set_value::<Settings>(storage, SETTINGS, self.app.settings());
        }
    }

    fn persist_egui_memory(&self) -> bool {
        false
    }
}

/// The GPU, if it is one: a CPU that stands in for it computes more slowly than the CPU itself.
#[cfg(feature = "gpu")]
fn automatic(gpu: &GpuOrWhy, settings: &Settings) -> Compute {
    match gpu {
        Ok(gpu) if gpu.is_real() && !settings.stay_on_cpu => Compute::Gpu,
        _ => Compute::Cpu,
    }
}

#[cfg(not(feature = "gpu"))]
fn automatic(_gpu: &GpuOrWhy, _settings: &Settings) -> Compute {
    Compute::Cpu
}

/// The device that draws this window, which can present, since it was chosen for it.
#[cfg(feature = "gpu")]
fn gpu(context: &CreationContext<'_>, end: &End) -> GpuOrWhy {
    let Some(state) = &context.wgpu_render_state else {
        return Err("the window is not drawn by wgpu".to_owned());
    };
    let (lost, ctx) = (Arc::clone(&end.lost), context.egui_ctx.clone());
    state.device.set_device_lost_callback(move |reason, _| {
        // A device that is dropped with its window is not lost.
        if reason == wgpu::DeviceLostReason::Unknown {
            lost.store(true, Ordering::Relaxed);
            ctx.request_repaint();
        }
    });
    crate::gpu::SharedGpu::new(&state.adapter, &state.device, &state.queue)
}

#[cfg(not(feature = "gpu"))]
fn gpu(_context: &CreationContext<'_>, _end: &End) -> GpuOrWhy {
    Err(
        "this program was built without Burn's GPU backend: leave out --no-default-features"
            .to_owned(),
    )
}
