//! A checksum at the end of each file of a state directory.
//!
//! Why it exists: a flipped bit in `state.json` can name another process or the cgroup of another
//! container, one in the kept `config.json` can drop a protection from the next `exec`, and all of them
//! still read as good documents. So a file that is not exactly what was written counts as damaged.
//!
//! CRC-32 (IEEE 802.3) finds each change of up to three bits in files of our sizes and each that lies within
//! four bytes. It is no defence against somebody who means it: the directory is root's alone.

/// What stands before the eight digits.
const MARK: &[u8] = b"\ncrc32 ";
/// The whole seal: mark, digits, end of line.
const LENGTH: usize = MARK.len() + 8 + 1;

/// The polynomial, its lowest power first.
const POLYNOMIAL: u32 = 0xedb8_8320;

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                value >> 1 ^ POLYNOMIAL
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[byte as usize] = value;
        byte += 1;
    }
    table
}

fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8);
    !data.iter().fold(!0, step)
}

/// The end of a file that holds `data`.
#[must_use]
pub fn seal(data: &[u8]) -> Vec<u8> {
    let mut seal = MARK.to_vec();
    seal.extend_from_slice(format!("{:08x}\n", crc32(data)).as_bytes());
    seal
}

/// What was written, out of a file's bytes.
///
/// # Errors
/// In what way the file is not as it was written.
pub fn open(file: &[u8]) -> Result<&[u8], &'static str> {
    let at = file.len().checked_sub(LENGTH);
    let (data, found) = at
        .map(|at| file.split_at(at))
        .filter(|(_, seal)| seal.starts_with(MARK))
        .ok_or("its end is missing")?;
    if found == seal(data) {
        Ok(data)
    } else {
        Err("its checksum differs")
    }
}

#[cfg(test)]
mod tests {
    use super::{crc32, open, seal};

    #[test]
    fn the_checksum_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn whatever_is_changed_is_seen() {
        let data = br#"{"version":2,"pid":4242}"#;
        let file = [&data[..], &seal(data)].concat();
        assert_eq!(open(&file), Ok(&data[..]));
        for bit in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&flipped).is_err(), "bit {bit}");
        }
        for end in 0..file.len() {
            assert!(open(&file[..end]).is_err(), "cut at {end}");
        }
    }
}
