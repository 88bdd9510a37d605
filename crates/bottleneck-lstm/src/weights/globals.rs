//! The names that a pickled dict of tensors may use. Nothing is imported: a name selects one of
//! the cases below, and any other is refused.

use super::element::ElementType;

/// What a permitted name stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Global {
    /// An ordered dict, read as a plain one.
    OrderedDict,
    /// Something of no interest here that a checkpoint may hold beside its tensors.
    Opaque,
    /// The class of a storage: the type of its elements.
    Storage(ElementType),
    /// An element type by itself.
    ElementType(ElementType),
    /// A tensor of a storage, an offset, a shape and strides; what follows is ignored.
    Tensor,
    /// As `Tensor`, over untyped bytes, with the element type as the seventh argument.
    TensorOfType,
    /// A parameter: its first argument is its tensor.
    Parameter,
}

impl Global {
    pub fn find(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            // Byte strings, in protocol 2, are text that is to be encoded.
            ("collections", "Counter") | ("_codecs", "encode") | ("torch", "Size" | "device") => {
                Self::Opaque
            }
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::Tensor,
            ("torch._utils", "_rebuild_tensor_v3") => Self::TensorOfType,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                Self::Parameter
            }
            ("torch" | "torch.storage", "UntypedStorage") => Self::Storage(ElementType::U8),
            ("torch", name) => match name.strip_suffix("Storage") {
                Some(class) => Self::Storage(storage(class)?),
                None => Self::ElementType(dtype(name)?),
            },
            _ => return None,
        })
    }
}

fn storage(class: &str) -> Option<ElementType> {
    Some(match class {
        "Double" => ElementType::F64,
        "Float" => ElementType::F32,
        "Half" => ElementType::F16,
        "BFloat16" => ElementType::BF16,
        "Long" => ElementType::I64,
        "Int" => ElementType::I32,
        "Short" => ElementType::I16,
        "Char" => ElementType::I8,
        "Byte" => ElementType::U8,
        "Bool" => ElementType::Bool,
        "ComplexDouble" => ElementType::C128,
        "ComplexFloat" => ElementType::C64,
        _ => return None,
    })
}

fn dtype(name: &str) -> Option<ElementType> {
    Some(match name {
        "float64" => ElementType::F64,
        "float32" => ElementType::F32,
        "float16" => ElementType::F16,
        "bfloat16" => ElementType::BF16,
        "int64" => ElementType::I64,
        "int32" => ElementType::I32,
        "int16" => ElementType::I16,
        "int8" => ElementType::I8,
        "uint64" => ElementType::U64,
        "uint32" => ElementType::U32,
        "uint16" => ElementType::U16,
        "uint8" => ElementType::U8,
        "bool" => ElementType::Bool,
        "complex128" => ElementType::C128,
        "complex64" => ElementType::C64,
        "float8_e5m2" => ElementType::F8E5M2,
        "float8_e4m3fn" => ElementType::F8E4M3,
        "float8_e5m2fnuz" => ElementType::F8E5M2Fnuz,
        "float8_e4m3fnuz" => ElementType::F8E4M3Fnuz,
        "float8_e8m0fnu" => ElementType::F8E8M0,
        _ => return None,
    })
}
