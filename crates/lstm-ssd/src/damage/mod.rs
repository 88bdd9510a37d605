#![doc = include_str!("../../damages.md")]
//!
//! ```
//! use lstm_ssd::Picture;
//! use lstm_ssd::damage::{Damage, Damager};
//!
//! let damage: Damage = "drop:0.4".parse()?;
//! let mut damager = Damager::new(damage, 1);
//! let white = Picture::new(4, 2, vec![255; 4 * 2 * 3]).unwrap();
//! let shown: Vec<bool> = (0..5).map(|_| damager.damage(white.clone()) == white).collect();
//! assert_eq!(shown, [true, false, true, false, false]);
//! # Ok::<_, lstm_ssd::damage::DamageError>(())
//! ```

mod bitrate;
mod blur;
mod damager;
mod kind;
#[cfg(feature = "damages")]
mod list;
mod noise;
mod occlusion;
mod random;

pub use damager::Damager;
pub use kind::{Damage, DamageError, Kind};
#[cfg(feature = "damages")]
pub use list::{DamageList, ListError, ListFault, Listed};
#[cfg(feature = "train")]
pub(crate) use random::Draws;
