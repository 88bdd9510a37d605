//! The named tensors of one file, of whichever format.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use half::{bf16, f16};

use super::element::ElementType;
use super::error::{Format, WeightsError};
use super::layout::Layout;
use super::scope::Scope;
use super::{archive, safetensors, torch};

/// Bytes of the largest file that is read: the largest cell in `f64`, twice over.
const MAX_FILE: u64 = u32::MAX as u64;

/// The named tensors of a `.safetensors` file or of what `torch.save` wrote (`.pt`, `.pth`).
///
/// The format is told from the content, not from the name of the file.
///
/// # PyTorch
///
/// Both forms are read, the zip archive and the older chain of pickles, by a reader of our own
/// that runs no code: it knows the dozen functions and classes that a dict of tensors is made of,
/// and a pickle that names anything else is an error. Views are read as PyTorch reads them:
/// transposed, with an offset, sharing a storage, or repeating one (up to the size of the file in
/// elements, or 65,536).
///
/// Dicts within dicts are flattened: the tensor `cell.W.weight` in the entry `state_dict` of a
/// training checkpoint is called `state_dict.cell.W.weight`. Entries that are neither tensors nor
/// dicts, or whose key is no string, are left out: numbers, lists, the state of optimisers.
///
/// # Bad files
///
/// A damaged or hostile file is an error, never a panic. Everything is checked before it is used,
/// and reading takes memory in proportion to the length of the file.
///
/// # Example
///
/// ```
/// use bottleneck_lstm::weights::Checkpoint;
///
/// let header = br#"{"net.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
/// let mut file = (header.len() as u64).to_le_bytes().to_vec();
/// file.extend(header);
/// file.extend([1.0_f32, 2.0].map(f32::to_le_bytes).concat());
///
/// let checkpoint = Checkpoint::from_bytes(file)?;
/// let bias = checkpoint.get("net.bias").unwrap();
/// assert_eq!(bias.shape(), [2]);
/// assert_eq!(bias.to_f32()?, [1.0, 2.0]);
/// # Ok::<_, bottleneck_lstm::weights::WeightsError>(())
/// ```
#[derive(Clone)]
pub struct Checkpoint {
    format: Format,
    file: Vec<u8>,
    pub(super) tensors: BTreeMap<String, Layout>,
}

impl Checkpoint {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is no regular file, is longer than 4 GiB, or as
    /// [`from_bytes`](Self::from_bytes) errs.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        Self::from_bytes(read(path)?)
    }

    /// Reads the content of a file. Nothing is copied from a `Vec<u8>`.
    ///
    /// # Errors
    ///
    /// If the content is of no known format, contradicts its format, holds a pickle that names
    /// something other than a tensor, or is larger than any dict of tensors is.
    pub fn from_bytes(file: impl Into<Vec<u8>>) -> Result<Self, WeightsError> {
        let file = file.into();
        let (format, tensors) = if safetensors::detect(&file) {
            (Format::SafeTensors, safetensors::read(&file)?)
        } else if archive::detect(&file) {
            (Format::PyTorch, torch::read_archive(&file)?)
        } else if torch::detect_chain(&file) {
            (Format::PyTorch, torch::read_chain(&file)?)
        } else {
            let found = match file.len() {
                0 => "an empty file".to_owned(),
                length => format!(
                    "{length} bytes that begin with {:02x?}",
                    &file[..length.min(8)]
                ),
            };
            return Err(WeightsError::UnknownFormat { found });
        };
        Ok(Self {
            format,
            file,
            tensors,
        })
    }

    /// The format of the file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The tensor of that name.
    pub fn get(&self, name: &str) -> Option<TensorView<'_>> {
        let (name, layout) = self.tensors.get_key_value(name)?;
        Some(TensorView {
            name,
            layout: layout.clone(),
            file: &self.file,
        })
    }

    /// All tensors, in the order of their names.
    pub fn tensors(&self) -> impl Iterator<Item = TensorView<'_>> {
        self.tensors.iter().map(|(name, layout)| TensorView {
            name,
            layout: layout.clone(),
            file: &self.file,
        })
    }

    /// The tensors whose names begin with `prefix`, to load a module from. The prefix is literal:
    /// it ends with its separator, as `net.cell.` does.
    pub fn scope<'a>(&'a self, prefix: &'a str) -> Scope<'a> {
        Scope::new(self, prefix)
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("format", &self.format)
            .field("bytes", &self.file.len())
            .field("tensors", &self.tensors.len())
            .finish()
    }
}

/// One tensor of a [`Checkpoint`], whose values are read when they are asked for.
#[derive(Clone)]
pub struct TensorView<'a> {
    name: &'a str,
    layout: Layout,
    file: &'a [u8],
}

impl<'a> TensorView<'a> {
    /// The whole name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    /// The number of elements.
    pub fn num_elements(&self) -> usize {
        self.layout.elements
    }

    /// The type of the elements.
    pub fn element_type(&self) -> ElementType {
        self.layout.element
    }

    /// The same tensor with its dimensions in another order: the dimension `order[d]` becomes
    /// dimension `d`.
    ///
    /// # Panics
    ///
    /// If `order` is not a permutation of the tensor's dimensions.
    pub fn permute(&self, order: &[usize]) -> Self {
        Self {
            layout: self.layout.permute(order),
            ..self.clone()
        }
    }

    /// The values in row-major order. Those of an `f64` are rounded, all others are exact.
    ///
    /// # Errors
    ///
    /// If the elements are not floating-point numbers of 16, 32 or 64 bits.
    pub fn to_f32(&self) -> Result<Vec<f32>, WeightsError> {
        let (layout, file) = (&self.layout, self.file);
        match layout.element {
            ElementType::F64 => Ok(layout.gather(file, |bytes| f64::from_le_bytes(bytes) as f32)),
            ElementType::F32 => Ok(layout.gather(file, f32::from_le_bytes)),
            ElementType::F16 => Ok(layout.gather(file, |bytes| f16::from_le_bytes(bytes).into())),
            ElementType::BF16 => Ok(layout.gather(file, |bytes| bf16::from_le_bytes(bytes).into())),
            found => Err(WeightsError::ElementType {
                key: self.name.to_owned(),
                found,
            }),
        }
    }

    /// The values in row-major order, exactly.
    ///
    /// # Errors
    ///
    /// If the elements are not floating-point numbers of 16, 32 or 64 bits.
    pub fn to_f64(&self) -> Result<Vec<f64>, WeightsError> {
        match self.layout.element {
            ElementType::F64 => Ok(self.layout.gather(self.file, f64::from_le_bytes)),
            _ => Ok(self.to_f32()?.into_iter().map(f64::from).collect()),
        }
    }
}

impl fmt::Debug for TensorView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}`: {} {:?}",
            self.name, self.layout.element, self.layout.shape
        )
    }
}

fn read(path: &Path) -> Result<Vec<u8>, WeightsError> {
    let error = |error| WeightsError::io(path, error);
    let file = File::open(path).map_err(error)?;
    let metadata = file.metadata().map_err(error)?;
    if !metadata.is_file() {
        return Err(error(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        )));
    }
    if metadata.len() > MAX_FILE {
        let what = format!("bytes of {}", path.display());
        return Err(WeightsError::TooLarge {
            what,
            limit: MAX_FILE,
            found: metadata.len(),
        });
    }
    let mut content = Vec::with_capacity(metadata.len() as usize);
    file.take(MAX_FILE)
        .read_to_end(&mut content)
        .map_err(error)?;
    Ok(content)
}
