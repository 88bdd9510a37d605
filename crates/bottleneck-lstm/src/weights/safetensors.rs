//! Reading the header of a safetensors file.

use std::collections::BTreeMap;
use std::fmt;

use ::safetensors::Dtype;
use ::safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::element::ElementType;
use super::error::WeightsError;
use super::layout::Layout;

/// The eight bytes that hold the length of the header.
const LENGTH: usize = 8;

/// Whether a file begins like a safetensors file: its header is a JSON object.
pub(super) fn detect(file: &[u8]) -> bool {
    file.get(LENGTH) == Some(&b'{')
}

/// Reads the names and layouts of all tensors.
///
/// The format's own crate checks that the tensors fill the file without gaps or overlaps. The
/// header is deserialised here instead, since the crate first builds a tree of whatever JSON it
/// finds, at up to 50 times its length in memory.
pub(super) fn read(file: &[u8]) -> Result<BTreeMap<String, Layout>, WeightsError> {
    let header = header(file)?;
    let data = LENGTH + header.len();
    let at = || format!("bytes {LENGTH}..{data}");
    let header: Header = serde_json::from_slice(header)
        .map_err(|error| WeightsError::safetensors(at(), "a header in JSON", error.to_string()))?;
    let metadata = Metadata::new(None, header.0).map_err(|error| {
        WeightsError::safetensors(at(), "tensors end to end", error.to_string())
    })?;
    if metadata.data_len() != file.len() - data {
        return Err(WeightsError::safetensors(
            format!("bytes {data}..{}", file.len()),
            format!("{} bytes of tensors", metadata.data_len()),
            format!("{} bytes", file.len() - data),
        ));
    }
    let layout = |(name, info): (String, &TensorInfo)| {
        let (start, end) = info.data_offsets;
        let storage = data + start..data + end;
        let element = element(info.dtype).ok_or_else(|| {
            let found = info.dtype.to_string();
            WeightsError::safetensors(format!("tensor `{name}`"), "a known element type", found)
        })?;
        let layout =
            Layout::dense(element, info.shape.clone(), storage).map_err(|(expected, found)| {
                WeightsError::safetensors(format!("tensor `{name}`"), expected, found)
            })?;
        Ok((name, layout))
    };
    metadata.tensors().into_iter().map(layout).collect()
}

fn header(file: &[u8]) -> Result<&[u8], WeightsError> {
    let (length, rest) = file.split_first_chunk::<LENGTH>().ok_or_else(|| {
        WeightsError::safetensors("the file", "at least 8 bytes", format!("{}", file.len()))
    })?;
    let length = u64::from_le_bytes(*length);
    usize::try_from(length)
        .ok()
        .and_then(|length| rest.get(..length))
        .ok_or_else(|| {
            WeightsError::safetensors(
                "the header's length",
                format!("at most the {} bytes that follow it", rest.len()),
                length.to_string(),
            )
        })
}

/// The header's tensors, in the order of their data.
struct Header(Vec<(String, TensorInfo)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut tensors = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let info: TensorInfo = map.next_value()?;
            if let Some((name, _)) = tensors.remove_entry(&name) {
                return Err(serde::de::Error::custom(format!("tensor `{name}` twice")));
            }
            tensors.insert(name, info);
        }
        let mut tensors: Vec<_> = tensors.into_iter().collect();
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        Ok(Header(tensors))
    }
}

/// The element type, unless the crate knows one that this module does not.
fn element(dtype: Dtype) -> Option<ElementType> {
    Some(match dtype {
        Dtype::F64 => ElementType::F64,
        Dtype::F32 => ElementType::F32,
        Dtype::F16 => ElementType::F16,
        Dtype::BF16 => ElementType::BF16,
        Dtype::I64 => ElementType::I64,
        Dtype::I32 => ElementType::I32,
        Dtype::I16 => ElementType::I16,
        Dtype::I8 => ElementType::I8,
        Dtype::U64 => ElementType::U64,
        Dtype::U32 => ElementType::U32,
        Dtype::U16 => ElementType::U16,
        Dtype::U8 => ElementType::U8,
        Dtype::BOOL => ElementType::Bool,
        Dtype::C64 => ElementType::C64,
        Dtype::F8_E5M2 => ElementType::F8E5M2,
        Dtype::F8_E4M3 => ElementType::F8E4M3,
        Dtype::F8_E5M2FNUZ => ElementType::F8E5M2Fnuz,
        Dtype::F8_E4M3FNUZ => ElementType::F8E4M3Fnuz,
        Dtype::F8_E8M0 => ElementType::F8E8M0,
        Dtype::F6_E2M3 => ElementType::F6E2M3,
        Dtype::F6_E3M2 => ElementType::F6E3M2,
        Dtype::F4 => ElementType::F4,
        _ => return None,
    })
}
