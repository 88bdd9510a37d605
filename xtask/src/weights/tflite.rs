//! A reader of TFLite files, as far as convolutions with weights in half precision need one.
//!
//! The tables are those of TensorFlow Lite's `schema.fbs`, version 3, with the fields that are read
//! and their numbers.

use anyhow::{Context, Result, ensure};
use flatbuffers::{
    Follow, ForwardsUOffset, InvalidFlatbuffer, Table, Vector, Verifiable, Verifier,
};

/// A table of the schema: its fields by their numbers.
macro_rules! table {
    ($name:ident { $($field:ident: $number:literal, $type:ty;)* }) => {
        #[derive(Clone, Copy)]
        struct $name<'a>(Table<'a>);

        impl<'a> Follow<'a> for $name<'a> {
            type Inner = $name<'a>;

            unsafe fn follow(buffer: &'a [u8], at: usize) -> Self {
                // SAFETY: the caller says that a table lies there.
                Self(unsafe { Table::new(buffer, at) })
            }
        }

        impl<'a> Verifiable for $name<'a> {
            fn run_verifier(
                verifier: &mut Verifier<'_, '_>,
                at: usize,
            ) -> Result<(), InvalidFlatbuffer> {
                verifier
                    .visit_table(at)?
                    $(.visit_field::<$type>(stringify!($field), 4 + 2 * $number, false)?)*
                    .finish();
                Ok(())
            }
        }

        impl<'a> $name<'a> {
            $(
                fn $field(self) -> Option<<$type as Follow<'a>>::Inner> {
                    // SAFETY: tables come of `flatbuffers::root` alone, whose verifier went over
                    // this field with this type.
                    unsafe { self.0.get::<$type>(4 + 2 * $number, None) }
                }
            )*
        }
    };
}

type Tables<'a, T> = ForwardsUOffset<Vector<'a, ForwardsUOffset<T>>>;
type Numbers<'a, T> = ForwardsUOffset<Vector<'a, T>>;

table!(Model {
    version: 0, u32;
    operator_codes: 1, Tables<'a, OperatorCode<'a>>;
    subgraphs: 2, Tables<'a, SubGraph<'a>>;
    buffers: 4, Tables<'a, Buffer<'a>>;
});

table!(OperatorCode {
    deprecated_builtin_code: 0, i8;
    builtin_code: 3, i32;
});

table!(SubGraph {
    tensors: 0, Tables<'a, Tensor<'a>>;
    operators: 3, Tables<'a, Operator<'a>>;
});

table!(Tensor {
    shape: 0, Numbers<'a, i32>;
    kind: 1, i8;
    buffer: 2, u32;
});

table!(Operator {
    opcode_index: 0, u32;
    inputs: 1, Numbers<'a, i32>;
    outputs: 2, Numbers<'a, i32>;
});

table!(Buffer {
    data: 0, Numbers<'a, u8>;
});

/// Numbers of the operators that are read.
const CONV_2D: i32 = 3;
const DEPTHWISE_CONV_2D: i32 = 4;
const DEQUANTIZE: i32 = 6;

/// The number of the element type of half precision.
const FLOAT16: i8 = 1;

/// The convolutions of a network, in the order in which they run.
pub struct Network {
    pub convolutions: Vec<Convolution>,
}

/// A convolution's weights and bias as the file has them.
pub struct Convolution {
    pub depthwise: bool,
    /// `[out, height, width, in]`, of a depthwise one `[1, height, width, channels]`.
    pub weight: HalfTensor,
    /// `[out]`
    pub bias: HalfTensor,
}

/// A tensor in half precision, little-endian, row by row.
#[derive(Clone)]
pub struct HalfTensor {
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl Network {
    /// Reads a file. Its tables are verified before anything is read.
    pub fn read(file: &[u8]) -> Result<Self> {
        let model = flatbuffers::root::<Model<'_>>(file).context("not a TFLite file")?;
        let version = model.version().unwrap_or(0);
        ensure!(
            version == 3,
            "expected version 3 of TFLite, found {version}"
        );
        let graph = model
            .subgraphs()
            .filter(|graphs| graphs.len() == 1)
            .context("expected one graph")?
            .get(0);
        let operators = graph.operators().context("expected operators")?;

        // Weights are stored halved, and each goes through an operator that widens it.
        let mut stored = std::collections::HashMap::new();
        let mut convolutions = Vec::new();
        for index in 0..operators.len() {
            let operator = operators.get(index);
            let inputs: Vec<i32> = operator.inputs().into_iter().flatten().collect();
            let outputs: Vec<i32> = operator.outputs().into_iter().flatten().collect();
            let context = || format!("operator {index}");
            match code(model, operator).with_context(context)? {
                DEQUANTIZE => {
                    ensure!(
                        inputs.len() == 1 && outputs.len() == 1,
                        "operator {index}: expected a tensor in and one out"
                    );
                    stored.insert(outputs[0], inputs[0]);
                }
                kind @ (CONV_2D | DEPTHWISE_CONV_2D) => {
                    ensure!(
                        inputs.len() == 3,
                        "operator {index}: expected a map, weights and a bias"
                    );
                    let tensor = |input: i32| -> Result<HalfTensor> {
                        let stored = stored.get(&input).context("expected stored weights")?;
                        tensor(model, graph, *stored)
                    };
                    convolutions.push(Convolution {
                        depthwise: kind == DEPTHWISE_CONV_2D,
                        weight: tensor(inputs[1]).with_context(context)?,
                        bias: tensor(inputs[2]).with_context(context)?,
                    });
                }
                _ => {}
            }
        }
        Ok(Self { convolutions })
    }
}

/// Which operator it is.
fn code(model: Model<'_>, operator: Operator<'_>) -> Result<i32> {
    let codes = model.operator_codes().context("expected operator codes")?;
    let index = operator.opcode_index().unwrap_or(0) as usize;
    ensure!(
        index < codes.len(),
        "expected one of {} codes, found {index}",
        codes.len()
    );
    let code = codes.get(index);
    // Old files have the first field alone, new ones both.
    let old = code.deprecated_builtin_code().unwrap_or(0);
    Ok(code.builtin_code().unwrap_or(0).max(old.into()))
}

fn tensor(model: Model<'_>, graph: SubGraph<'_>, index: i32) -> Result<HalfTensor> {
    let tensors = graph.tensors().context("expected tensors")?;
    let index = usize::try_from(index)
        .ok()
        .filter(|index| *index < tensors.len());
    let tensor = tensors.get(index.context("expected a tensor of the graph")?);
    let kind = tensor.kind().unwrap_or(0);
    ensure!(
        kind == FLOAT16,
        "expected elements of type {FLOAT16}, f16, found type {kind}"
    );
    let shape = tensor.shape().into_iter().flatten().map(usize::try_from);
    let shape: Vec<usize> = shape.collect::<Result<_, _>>().context("a negative size")?;
    let buffers = model.buffers().context("expected buffers")?;
    let buffer = tensor.buffer().unwrap_or(0) as usize;
    ensure!(
        buffer < buffers.len(),
        "expected one of {} buffers, found {buffer}",
        buffers.len()
    );
    let bytes = buffers.get(buffer).data().map(|data| data.bytes().to_vec());
    let bytes = bytes.unwrap_or_default();
    let elements = shape
        .iter()
        .try_fold(2_usize, |size, side| size.checked_mul(*side));
    ensure!(
        elements == Some(bytes.len()),
        "expected two bytes for each element of {shape:?}, found {}",
        bytes.len()
    );
    Ok(HalfTensor { shape, bytes })
}

#[cfg(test)]
mod tests {
    use flatbuffers::{FlatBufferBuilder, WIPOffset};

    use super::*;

    /// A file with one convolution, whose weights and bias are stored in half precision.
    fn file(version: u32, kind: i8, weights: &[u8]) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let empty = builder.start_table();
        let empty = builder.end_table(empty);
        let mut buffers = vec![empty];
        for data in [weights, &[9, 9][..]] {
            let data = builder.create_vector(data);
            let table = builder.start_table();
            builder.push_slot_always(4, data);
            buffers.push(builder.end_table(table));
        }
        let mut tensors = Vec::new();
        // The map, weights and bias stored, weights and bias widened, the result.
        let shapes: [(&[i32], i8, u32); 6] = [
            (&[1, 4, 4, 2], 0, 0),
            (&[1, 1, 1, 2], kind, 1),
            (&[1], kind, 2),
            (&[1, 1, 1, 2], 0, 0),
            (&[1], 0, 0),
            (&[1, 4, 4, 1], 0, 0),
        ];
        for (shape, kind, buffer) in shapes {
            let shape = builder.create_vector(shape);
            let table = builder.start_table();
            builder.push_slot_always(4, shape);
            builder.push_slot(6, kind, 0_i8);
            builder.push_slot(8, buffer, 0_u32);
            tensors.push(builder.end_table(table));
        }
        let mut operators = Vec::new();
        let parts: [(u32, &[i32], i32); 3] = [(1, &[1], 3), (1, &[2], 4), (0, &[0, 3, 4], 5)];
        for (code, inputs, output) in parts {
            let inputs = builder.create_vector(inputs);
            let outputs = builder.create_vector(&[output]);
            let table = builder.start_table();
            builder.push_slot(4, code, 0_u32);
            builder.push_slot_always(6, inputs);
            builder.push_slot_always(8, outputs);
            operators.push(builder.end_table(table));
        }
        let mut codes = Vec::new();
        // The first has the old field alone, the second both.
        for (old, new) in [(CONV_2D as i8, 0), (DEQUANTIZE as i8, DEQUANTIZE)] {
            let table = builder.start_table();
            builder.push_slot(4, old, 0_i8);
            builder.push_slot(10, new, 0_i32);
            codes.push(builder.end_table(table));
        }
        let tensors = builder.create_vector(&tensors);
        let operators = builder.create_vector(&operators);
        let table = builder.start_table();
        builder.push_slot_always(4, tensors);
        builder.push_slot_always(10, operators);
        let graph = builder.end_table(table);
        let vectors: [WIPOffset<_>; 3] = [
            builder.create_vector(&codes),
            builder.create_vector(&[graph]),
            builder.create_vector(&buffers),
        ];
        let table = builder.start_table();
        builder.push_slot(4, version, 0_u32);
        for (slot, vector) in [6, 8, 12].into_iter().zip(vectors) {
            builder.push_slot_always(slot, vector);
        }
        let model = builder.end_table(table);
        builder.finish(model, Some("TFL3"));
        builder.finished_data().to_vec()
    }

    #[test]
    fn a_convolution_is_found_behind_its_widening() {
        let network = Network::read(&file(3, FLOAT16, &[1, 2, 3, 4])).unwrap();
        let [convolution] = &network.convolutions[..] else {
            panic!("one convolution");
        };
        assert!(!convolution.depthwise);
        assert_eq!(convolution.weight.shape, [1, 1, 1, 2]);
        assert_eq!(convolution.weight.bytes, [1, 2, 3, 4]);
        assert_eq!(convolution.bias.bytes, [9, 9]);
    }

    #[test]
    fn contradictions_are_errors() {
        let error = |file: &[u8]| format!("{:#}", Network::read(file).err().unwrap());
        assert!(error(&file(2, FLOAT16, &[0; 4])).contains("found 2"));
        assert!(error(&file(3, 0, &[0; 4])).contains("found type 0"));
        assert!(error(&file(3, FLOAT16, &[0; 3])).contains("[1, 1, 1, 2]"));
    }

    #[test]
    fn damaged_files_never_panic() {
        let good = file(3, FLOAT16, &[1, 2, 3, 4]);
        for length in 0..good.len() {
            let _ = Network::read(&good[..length]);
        }
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = good.clone();
                damaged[at] = value;
                let _ = Network::read(&damaged);
            }
        }
    }
}
