//! Pictures without a window.

use moving_digits::picture::Canvas;
use thiserror::Error;
use video_demo_app::{App, Event, Request, Settings};

use crate::desk::Desk;
use crate::sidecar::Frame;
use crate::stage::{PaintError, Painter, Stage};

/// What to render.
#[derive(Debug, Clone)]
pub struct Shot {
    /// Frames of the video, at least 1.
    pub frames: u64,
    /// `[width, height]` in pixels.
    pub size: [usize; 2],
    /// Pixels a point.
    pub scale: f32,
    /// What the viewer has set.
    pub settings: Settings,
    /// Whether every frame is drawn, or only the last.
    pub every: bool,
}

/// What was rendered.
#[derive(Debug, Clone)]
pub struct Film {
    /// The pictures that were drawn.
    pub pictures: Vec<Canvas>,
    /// What the networks saw in each frame.
    pub frames: Vec<Frame>,
    /// Seconds that a frame is shown.
    pub seconds: f64,
}

/// Why there is no film.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HeadlessError {
    /// A picture cannot be drawn.
    #[error(transparent)]
    Paint(#[from] PaintError),
    /// The networks cannot run.
    #[error("{0}")]
    Problem(String),
}

/// Lets the app run for so many frames, each of them looked at, at the video's own pace.
///
/// # Errors
///
/// If a network fails or a picture cannot be drawn: nobody is there to take the app's offers.
pub fn render(
    shot: &Shot,
    mut desk: Desk,
    painter: Box<dyn Painter>,
) -> Result<Film, HeadlessError> {
    let mut app = App::new(shot.settings.clone());
    tell(&mut app, desk.start())?;
    let rate = app.description().map_or(15.0, |d| d.source.rate);
    let rate = shot.settings.rate.unwrap_or(rate);
    let mut stage = Stage::new(painter, shot.size, shot.scale);
    // The first call only sets egui up.
    stage.show(&mut app, 0.0, false)?;
    let mut film = Film {
        pictures: Vec::new(),
        frames: Vec::new(),
        seconds: 1.0 / rate,
    };
    for number in 0..shot.frames {
        // A little late, so that rounding never makes it early.
        let time = number as f64 / rate + 1e-6 * f64::from(number > 0);
        app.tick(time);
        let requests: Vec<Request> = app.requests().collect();
        for request in requests {
            tell(&mut app, desk.handle(request))?;
        }
        let wanted = shot.every || number + 1 == shot.frames;
        film.pictures.extend(stage.show(&mut app, time, wanted)?);
        if let (Some(description), Some(shown)) = (app.description(), app.shown()) {
            film.frames.push(Frame::new(description, shown));
        }
    }
    Ok(film)
}

fn tell(app: &mut App, events: Vec<Event>) -> Result<(), HeadlessError> {
    for event in events {
        if let Event::Problem(problem) = event {
            return Err(HeadlessError::Problem(problem.what));
        }
        app.receive(event);
    }
    Ok(())
}
