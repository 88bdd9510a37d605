//! The arithmetic of a single-shot detector, on plain numbers: priors, box codes, which prior stands
//! for which object, what is left after suppression, and how good it is.
//!
//! ```
//! use lstm_ssd::detection::{BoundingBox, BoxCoder, PriorsConfig};
//!
//! let priors = PriorsConfig::new(vec![[2, 2], [1, 1]]).priors();
//! let object = BoundingBox::new(0.1, 0.2, 0.5, 0.6);
//! let coder = BoxCoder::default();
//! let code = coder.encode(object.center(), priors[0]);
//! assert!(coder.decode(code, priors[0]).corners().iou(&object) > 0.999);
//! ```

mod average_precision;
mod bounding_box;
mod coder;
mod matching;
mod mining;
mod postprocess;
mod priors;
mod suppression;

pub use average_precision::{AveragePrecision, COCO_THRESHOLDS, Truth};
pub use bounding_box::{BoundingBox, CenterBox};
pub use coder::BoxCoder;
pub use matching::match_priors;
pub use mining::hard_negatives;
pub use postprocess::{Detection, Postprocess, Scores};
pub use priors::PriorsConfig;
pub use suppression::suppress;
