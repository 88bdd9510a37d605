//! ONNX Runtime and PyTorch, in a Python process each that lives as long as the bench.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};
use serde_json::json;

use crate::process::Process;
use crate::rounds::Contestant;
use crate::work::{Cell, Kind, Work};

/// What the processes run.
const SCRIPT: &str = include_str!("../peers.py");

pub const ONNX_RUNTIME: &str = "ONNX Runtime";
pub const PYTORCH: &str = "PyTorch";

const NAMES: [(&str, &str); 2] = [("onnxruntime", ONNX_RUNTIME), ("torch", PYTORCH)];

/// How a peer does a work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// ONNX Runtime in one graph of all steps, PyTorch with gradients of the weights alone.
    Usual,
    /// ONNX Runtime in a graph of one step, run step by step.
    StepByStep,
    /// PyTorch with gradients of input and state too.
    AllGradients,
}

/// The peers that could be started.
pub struct Peers {
    running: Vec<(&'static str, Rc<RefCell<Process>>)>,
    versions: Vec<String>,
    absent: Option<String>,
}

impl Peers {
    /// Starts both peers.
    pub fn start(python: &Path) -> Self {
        let mut peers = Self {
            running: Vec::new(),
            versions: Vec::new(),
            absent: None,
        };
        for (module, name) in NAMES {
            match Process::start(python, SCRIPT, module) {
                Ok((peer, version)) => {
                    peers.versions.push(format!("{name} {version}"));
                    peers.running.push((name, Rc::new(RefCell::new(peer))));
                }
                Err(error) => peers.absent = Some(format!("{name}: {error:#}")),
            }
        }
        peers
    }

    /// Why not all peers run, if so.
    pub fn absent(&self) -> Option<&str> {
        self.absent.as_deref()
    }

    pub fn versions(&self) -> Vec<String> {
        self.versions.clone()
    }

    /// The peers that do such work, which forget all others.
    pub fn contestants(&mut self, work: &Work) -> Result<Vec<Contestant>> {
        self.forget()?;
        let mut contestants = Vec::new();
        for (_, name) in NAMES {
            if name != ONNX_RUNTIME || work.kind != Kind::Training {
                contestants.extend(self.contestant(name, name, work, Way::Usual)?);
            }
        }
        Ok(contestants)
    }

    /// Lets go of all works: their contestants cannot run any more.
    pub fn forget(&self) -> Result<()> {
        for (_, peer) in &self.running {
            peer.borrow_mut().ask(&json!("forget"))?;
        }
        Ok(())
    }

    /// `peer`, if it runs, on `work` as the contestant `name`.
    pub fn contestant(
        &self,
        peer: &str,
        name: &'static str,
        work: &Work,
        way: Way,
    ) -> Result<Option<Contestant>> {
        let Some((_, peer)) = self.running.iter().find(|(running, _)| *running == peer) else {
            return Ok(None);
        };
        let number = prepare(&mut peer.borrow_mut(), work, way)
            .with_context(|| format!("{name}: {work}"))?;
        let peer = Rc::clone(peer);
        Ok(Some(Contestant {
            name,
            is_peer: true,
            most: usize::MAX,
            run: Box::new(move || peer.borrow_mut().run(number)),
        }))
    }
}

/// Has a peer's process prepare a work. Returns the number of the work.
fn prepare(peer: &mut Process, work: &Work, way: Way) -> Result<u64> {
    let (batch, steps) = work.kind.batch_and_steps();
    let number = peer.ask(&json!({
        "cell": if work.cell == Cell::ConvLstm { "conv_lstm" } else { "bottleneck_lstm" },
        "training": work.kind == Kind::Training,
        "shape": [work.shape.input, work.shape.hidden, work.shape.side],
        "batch": batch,
        "steps": steps,
        "unrolled": way != Way::StepByStep,
        "all_gradients": way == Way::AllGradients,
    }))?;
    number.as_u64().context("the work has no number")
}
