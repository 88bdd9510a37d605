//! Files of PyTorch before 1.6, put together by hand.

/// The function that a pickle calls for a tensor.
pub const TENSOR: &str = "_rebuild_tensor_v2";

/// A whole file: the pickle `object`, without its end, and a storage of bytes for each key.
pub fn chain(object: &[u8], keys: &[&str], storages: &[&[u8]]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.";
    let machine = [&b"\x80\x02}"[..], &text("little_endian"), b"\x88s."].concat();
    let keys: Vec<u8> = keys.iter().flat_map(|key| text(key)).collect();
    let list = [&b"\x80\x02]("[..], &keys, b"e."].concat();
    let mut file = [&magic[..], &machine, b"\x80\x02", object, b".", &list].concat();
    for storage in storages {
        file.extend((storage.len() as u64 / 4).to_le_bytes());
        file.extend(*storage);
    }
    file
}

pub fn text(text: &str) -> Vec<u8> {
    [
        b"X",
        &(text.len() as u32).to_le_bytes()[..],
        text.as_bytes(),
    ]
    .concat()
}

pub fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

/// An integer of 64 bits in two's complement.
pub fn int(value: u64) -> Vec<u8> {
    [&b"\x8a\x08"[..], &value.to_le_bytes()].concat()
}
