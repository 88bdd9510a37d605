//! What goes wrong is said, and there is a way on.

use std::path::Path;

use moving_digits::recurrent::Layer;
use moving_digits::weights::file_name;
use video_demo::desk::Desk;
use video_demo::digits::Weights;
use video_demo::program::{GpuOrWhy, Program};
use video_demo::video::Setup;
use video_demo_app::{App, Compute, Event, Problem, Request, Settings, Step};

fn desk(weights: Weights, gpu: GpuOrWhy, compute: Compute) -> Desk {
    let program = Program::new(weights, gpu, Setup::default());
    Desk::new(Box::new(program), None, compute)
}

fn step() -> Request {
    Request::Step(Step {
        advance: 1,
        lost: false,
        knobs: vec![0.0; 4],
        seed: 1,
        look: Default::default(),
    })
}

fn problem(events: &[Event]) -> &Problem {
    let mut problems = events.iter().filter_map(|event| match event {
        Event::Problem(problem) => Some(problem),
        _ => None,
    });
    problems
        .next()
        .unwrap_or_else(|| panic!("no problem in {events:?}"))
}

fn files(folder: &Path, plain: &[u8], memory: &[u8]) {
    let layers = [Layer::NoMemory, Layer::BottleneckLstm];
    for (layer, bytes) in layers.into_iter().zip([plain, memory]) {
        std::fs::write(folder.join(file_name(layer)), bytes).unwrap();
    }
}

#[test]
fn missing_weights_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Weights::of_folder(folder.path()).unwrap_err().to_string();
    assert!(error.contains("no-memory.safetensors: "), "{error}");
}

#[test]
fn foreign_weights_are_a_message_with_an_offer_that_works() {
    let folder = tempfile::tempdir().unwrap();
    let own = Weights::embedded();
    let [plain, memory] = own.files().map(|(_, bytes, _)| bytes.to_vec());
    for (second, why) in [
        (&b"not weights"[..], "not a safetensors file"),
        (&plain[..], "weights of no memory, not of Bottleneck-LSTM"),
        (&memory[..memory.len() / 2], "not a safetensors file"),
    ] {
        files(folder.path(), &plain, second);
        let weights = Weights::of_folder(folder.path()).unwrap();
        let mut desk = desk(weights, Err("none".into()), Compute::Cpu);
        let mut app = App::new(Settings::default());
        let events = desk.start();
        let problem = problem(&events).clone();
        assert!(
            problem.what.contains("bottleneck-lstm.safetensors"),
            "{}",
            problem.what
        );
        assert!(problem.what.contains(why), "{}", problem.what);
        events.into_iter().for_each(|event| app.receive(event));
        app.tick(1.0);
        assert_eq!(
            app.requests().count(),
            0,
            "it asks for frames that nobody has"
        );

        let offer = problem.offers[0].request.clone();
        desk.handle(offer)
            .into_iter()
            .for_each(|event| app.receive(event));
        assert!(app.problem().is_none());
        app.tick(1.1);
        let requests: Vec<_> = app.requests().collect();
        assert!(matches!(requests[..], [Request::Step(_)]));
        let events = desk.handle(step());
        assert!(matches!(events[..], [Event::Shown(_)]));
    }
}

#[test]
fn without_a_gpu_the_cpu_computes_and_says_why() {
    let mut desk = desk(
        Weights::embedded(),
        Err("there is no adapter".into()),
        Compute::Gpu,
    );
    let events = desk.start();
    let Event::Ready(description) = &events[0] else {
        panic!("{events:?}");
    };
    assert_eq!(description.compute, Compute::Cpu);
    let problem = problem(&events);
    assert!(problem.what.contains("there is no adapter") && !problem.stuck);
    assert!(matches!(desk.handle(step())[..], [Event::Shown(_)]));
}

#[cfg(feature = "gpu")]
mod gpu {
    use video_demo::offscreen::Offscreen;
    use video_demo_app::{Deed, Gpu};

    use super::*;

    fn shown(events: &[Event]) -> &video_demo_app::Shown {
        match events {
            [Event::Shown(shown)] => shown,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_devices_see_the_same_and_a_memory_goes_along() {
        let (_painter, gpu) = Offscreen::new([320, 320]).unwrap();
        let name = gpu.name();
        let mut desk = desk(Weights::embedded(), Ok(gpu), Compute::Cpu);
        let mut other = self::desk(Weights::embedded(), Err("none".into()), Compute::Cpu);
        let Event::Ready(description) = &desk.start()[0] else {
            panic!("not ready");
        };
        assert_eq!(description.gpu, Gpu::Ready(name));
        other.start();
        for compute in [Compute::Cpu, Compute::Gpu, Compute::Cpu] {
            desk.handle(Request::Compute(compute));
            for _ in 0..5 {
                let (here, there) = (desk.handle(step()), other.handle(step()));
                let (here, there) = (shown(&here), shown(&there));
                for (here, there) in here.views.iter().zip(&there.views) {
                    assert_eq!(here.age, there.age);
                    assert_eq!(here.found.len(), there.found.len());
                    for (here, there) in here.found.iter().zip(&there.found) {
                        assert_eq!((&here.label, here.place), (&there.label, there.place));
                        let difference = here.score.unwrap() - there.score.unwrap();
                        assert!(difference.abs() < 1e-4, "{difference}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_lost_device_is_a_message_and_the_cpu_goes_on() {
        let (painter, gpu) = Offscreen::new([320, 320]).unwrap();
        let mut desk = desk(Weights::embedded(), Ok(gpu), Compute::Gpu);
        desk.start();
        shown(&desk.handle(step()));
        painter.device().destroy();
        let events = desk.handle(step());
        assert!(
            problem(&events).what.contains("The GPU failed"),
            "{events:?}"
        );
        assert!(events.contains(&Event::Did(Deed::MemoryReset)));
        let ready = events.iter().find_map(|event| match event {
            Event::Ready(description) => Some(description),
            _ => None,
        });
        assert_eq!(ready.unwrap().compute, Compute::Cpu);
        assert_eq!(shown(&desk.handle(step())).views[1].age, Some(1));
        // It is offered again, and is still lost.
        let offer = problem(&events).offers[0].request.clone();
        let events = desk.handle(offer);
        assert!(!problem(&events).stuck, "{events:?}");
        shown(&desk.handle(step()));
    }
}
