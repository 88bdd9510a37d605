//! Hostile pickles, put together by hand.

use bottleneck_lstm::weights::WeightsError;

use crate::chain::{TENSOR, chain, global, int, text};
use crate::hostile::{message, read};

#[test]
fn a_pickle_may_nest_without_end() {
    let many = 1_000_000;
    // Lists within lists, tuples, dicts of dicts, marks: nothing recurses over them.
    for (object, expected) in [
        (b"]".repeat(many / 20), "a dict of tensors"),
        (
            [b"N".to_vec(), b"\x85".repeat(many)].concat(),
            "a dict of tensors",
        ),
        (
            b"(".repeat(many),
            "marks of the pickle: expected at most 65536",
        ),
        (
            b"]".repeat(many),
            "stack of the pickle: expected at most 65536",
        ),
        (
            [b"N".to_vec(), b"\x94".repeat(2 * many)].concat(),
            "memo of the pickle",
        ),
        (
            [b"N".to_vec(), b"N\x86".repeat(many)].concat(),
            "objects of the pickle",
        ),
    ] {
        let found = message(chain(&object, &[], &[]));
        assert!(found.contains(expected), "{found}");
    }
    let nested = |depth: usize| {
        let open = [b"}".to_vec(), text("a")].concat().repeat(depth);
        [open, b"}".to_vec(), b"s".repeat(depth)].concat()
    };
    assert!(read(chain(&nested(32), &[], &[])).unwrap().is_empty());
    let found = message(chain(&nested(20_000), &[], &[]));
    assert!(
        found.contains("dicts within dicts: expected at most 32"),
        "{found}"
    );
}

#[test]
fn a_dict_that_holds_itself_ends() {
    // d = {}; d["a"] = d
    let itself = [&b"}q\x00"[..], &text("a"), b"h\x00s"].concat();
    assert!(message(chain(&itself, &[], &[])).contains("dicts within dicts"));

    // Thirty dicts, each of which holds the one before twice: a billion paths.
    let mut twice = b"}q\x00".to_vec();
    for level in 1..=30_u8 {
        let below = [b'h', level - 1];
        let [first, second] = ["a", "b"].map(|key| [&text(key)[..], &below, b"s"].concat());
        twice.extend([&b"}q"[..], &[level], &first, &second].concat());
    }
    let found = message(chain(&twice, &[], &[]));
    assert!(found.contains("bytes of the tensors' names"), "{found}");
}

#[test]
fn a_pickle_that_claims_much_is_checked_before_it_is_believed() {
    let claims = |object: &[u8], expected: &str| {
        let found = message(chain(object, &[], &[]));
        assert!(found.contains(expected), "{found}");
    };
    claims(
        b"Nr\xff\xff\xff\xff",
        "memo of the pickle: expected at most 1048576",
    );
    claims(
        b"Nr\xff\xff\x00\x00",
        "at most 1 values to remember, found 65535",
    );
    claims(b"h\x05", "one of 0 remembered values, found number 5");
    claims(b"X\xff\xff\xff\xffabc", "expected 4294967295 bytes");
    claims(
        &[&b"\x8d"[..], &u64::MAX.to_le_bytes()].concat(),
        "expected 18446744073709551615",
    );
    claims(b"X\x01\x00\x00\x00\xff", "text in UTF-8");
    claims(b"\x8b\xff\xff\xff\x7f", "expected 2147483647 bytes");
    claims(b"t", "a mark on the stack");
    claims(b"(0u", "a value on the stack");
    claims(b"N\x86", "values on the stack");
    claims(b"R", "a value on the stack");
    claims(b"NNs", "a dict to add to");
    claims(b"i", "an instruction for tensors, found 0x69");
    claims(b"", "a value on the stack");
}

#[test]
fn nothing_is_called() {
    for (module, name) in [
        ("os", "system"),
        ("builtins", "eval"),
        ("__builtin__", "getattr"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_sparse_tensor"),
        ("torch.jit._pickle", "restore_type_tag"),
        ("collections", "defaultdict"),
        ("torch", "EvilStorage"),
    ] {
        for object in [
            global(module, name),
            [text(module), text(name), b"\x93".to_vec()].concat(),
            [
                b"}".to_vec(),
                text("a"),
                global(module, name),
                text("x"),
                b"\x85Rs".to_vec(),
            ]
            .concat(),
        ] {
            match read(chain(&object, &[], &[])) {
                Err(WeightsError::ForbiddenGlobal { name: found }) => {
                    assert_eq!(found, format!("{module}.{name}"));
                }
                other => panic!("{module}.{name}: {other:?}"),
            }
        }
    }
    // What may be named may not be called on whatever one likes.
    for object in [
        [global("torch", "FloatStorage"), b")R".to_vec()].concat(),
        [global("torch._utils", "_rebuild_tensor_v2"), b")R".to_vec()].concat(),
        [
            global("torch._utils", "_rebuild_parameter"),
            b"N\x85R".to_vec(),
        ]
        .concat(),
        [global("collections", "OrderedDict"), b"N\x85R".to_vec()].concat(),
        [text("storage"), b"Q".to_vec()].concat(),
    ] {
        assert!(matches!(
            read(chain(&object, &[], &[])),
            Err(WeightsError::Malformed { .. })
        ));
    }
}

/// A dict of one tensor over a storage of `elements` floats.
fn tensor(elements: u64, offset: u64, shape: &[u64], strides: &[u64]) -> Vec<u8> {
    let sizes = |sizes: &[u64]| {
        [
            &b"("[..],
            &sizes.iter().flat_map(|size| int(*size)).collect::<Vec<_>>(),
            b"t",
        ]
        .concat()
    };
    let storage = [
        &b"("[..],
        &text("storage"),
        &global("torch", "FloatStorage"),
        &text("0"),
        &text("cpu"),
        &int(elements),
        b"tQ",
    ]
    .concat();
    [
        &b"}"[..],
        &text("a"),
        &global("torch._utils", TENSOR),
        b"(",
        &storage,
        &int(offset),
        &sizes(shape),
        &sizes(strides),
        b"\x89NtRs",
    ]
    .concat()
}

#[test]
fn tensors_stay_within_their_storage() {
    let one = |elements, offset, shape: &[u64], strides: &[u64]| {
        let object = tensor(elements, offset, shape, strides);
        read(chain(&object, &["0"], &[&[0; 16]]))
    };
    let fine = |shape: &[u64], strides: &[u64]| one(4, 0, shape, strides).unwrap();
    assert_eq!(fine(&[4], &[1])[0].1.len(), 4);
    assert_eq!(fine(&[2, 2], &[1, 2])[0].1.len(), 4);
    assert_eq!(fine(&[], &[])[0].1.len(), 1);
    assert_eq!(
        fine(&[1, 4], &[1 << 40, 1])[0].1.len(),
        4,
        "a stride that is never taken"
    );
    assert_eq!(fine(&[0, 1 << 40, 1 << 40], &[1, 1, 1])[0].1.len(), 0);
    assert_eq!(fine(&[256, 256], &[0, 0])[0].1.len(), 65_536);

    let wrong = |elements, offset, shape: &[u64], strides: &[u64], expected: &str| {
        let found = one(elements, offset, shape, strides)
            .unwrap_err()
            .to_string();
        assert!(found.contains(expected), "{found}");
    };
    wrong(
        4,
        0,
        &[5],
        &[1],
        "tensor `a`: expected elements within a storage of 4",
    );
    wrong(4, 1, &[4], &[1], "elements within a storage of 4");
    wrong(4, 1 << 62, &[1], &[1], "elements within a storage of 4");
    wrong(4, 0, &[2], &[4], "elements within a storage of 4");
    wrong(
        4,
        0,
        &[3, 3],
        &[u64::MAX >> 1, u64::MAX >> 1],
        "elements within a storage of 4",
    );
    wrong(4, 0, &[1 << 40], &[0], "at most 65536 elements in a file");
    wrong(
        4,
        0,
        &[257, 256],
        &[0, 0],
        "at most 65536 elements in a file",
    );
    wrong(
        4,
        0,
        &[1 << 40, 1 << 40],
        &[0, 0],
        "at most 18446744073709551615 elements",
    );
    wrong(
        4,
        0,
        &[2, 2],
        &[1],
        "a stride for each of at most 16 dimensions",
    );
    wrong(
        4,
        0,
        &[1; 17],
        &[1; 17],
        "the parts of a tensor, found 17 dimensions",
    );
    wrong(
        4,
        u64::MAX,
        &[4],
        &[1],
        "the parts of a tensor, found a negative offset",
    );
    wrong(4, 0, &[u64::MAX], &[1], "a negative size or stride");
    wrong(5, 0, &[4], &[1], "20 bytes after byte");
    wrong(1 << 62, 0, &[4], &[1], "the file: expected `0`, found none");
    let absent = chain(&tensor(4, 0, &[4], &[1]), &[], &[]);
    assert!(message(absent).contains("the file: expected `0`, found none"));
}
