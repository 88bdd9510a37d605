//! The element types that files know.

use std::fmt;

/// The type of a tensor's elements in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElementType {
    /// 64-bit floating point.
    F64,
    /// 32-bit floating point.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of an `f32`.
    BF16,
    /// 64-bit signed integer.
    I64,
    /// 32-bit signed integer.
    I32,
    /// 16-bit signed integer.
    I16,
    /// 8-bit signed integer.
    I8,
    /// 64-bit unsigned integer.
    U64,
    /// 32-bit unsigned integer.
    U32,
    /// 16-bit unsigned integer.
    U16,
    /// 8-bit unsigned integer.
    U8,
    /// Boolean, a byte each.
    Bool,
    /// Two 64-bit floating-point numbers.
    C128,
    /// Two 32-bit floating-point numbers.
    C64,
    /// 8-bit floating point, 5 bits of exponent.
    F8E5M2,
    /// 8-bit floating point, 4 bits of exponent.
    F8E4M3,
    /// 8-bit floating point, 5 bits of exponent, without a negative zero.
    F8E5M2Fnuz,
    /// 8-bit floating point, 4 bits of exponent, without a negative zero.
    F8E4M3Fnuz,
    /// 8 bits of exponent.
    F8E8M0,
    /// 6-bit floating point, 2 bits of exponent.
    F6E2M3,
    /// 6-bit floating point, 3 bits of exponent.
    F6E3M2,
    /// 4-bit floating point.
    F4,
}

impl ElementType {
    /// Bits of an element.
    pub fn bits(self) -> usize {
        match self {
            Self::C128 => 128,
            Self::F64 | Self::I64 | Self::U64 | Self::C64 => 64,
            Self::F32 | Self::I32 | Self::U32 => 32,
            Self::F16 | Self::BF16 | Self::I16 | Self::U16 => 16,
            Self::I8 | Self::U8 | Self::Bool => 8,
            Self::F8E5M2 | Self::F8E4M3 | Self::F8E5M2Fnuz | Self::F8E4M3Fnuz | Self::F8E8M0 => 8,
            Self::F6E2M3 | Self::F6E3M2 => 6,
            Self::F4 => 4,
        }
    }

    /// Whether the values can be weights: floating point of 16, 32 or 64 bits.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::BF16)
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
