//! Sizes of memory such as `4GB` and `512MiB`.

/// Parses a size: a number, with a fraction if wanted, and a unit.
///
/// `KB`, `MB`, `GB`, `TB` count in thousands, `KiB`, `MiB`, `GiB`, `TiB` and the bare letters in
/// 1024s, as DataFusion's own `100M` does. A number without a unit is refused: nobody means four bytes by `4`.
pub(crate) fn parse_memory_size(text: &str) -> Result<usize, String> {
    let malformed =
        || format!("\"{text}\" is no size; write a number and a unit, as 4GB or 512MiB");
    let trimmed = text.trim();
    let digits = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(|| {
            format!("\"{text}\" has no unit; write it as {text}MB, {text}GB or {text}B")
        })?;
    let (number, unit) = trimmed.split_at(digits);
    let number: f64 = number.parse().map_err(|_| malformed())?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return Err(malformed()),
    };
    let bytes = number * factor as f64;
    // Below a megabyte not even the buffers of one scan fit: it is a mistake, not a wish.
    if bytes < 1_000_000.0 {
        return Err(format!(
            "\"{text}\" is too little to work with; give at least 1MB"
        ));
    }
    if bytes >= usize::MAX as f64 {
        return Err(format!("\"{text}\" is more than this machine can address"));
    }
    Ok(bytes as usize)
}

#[cfg(test)]
mod tests {
    use super::parse_memory_size;

    #[test]
    fn units() {
        assert_eq!(parse_memory_size("4GB"), Ok(4_000_000_000));
        assert_eq!(parse_memory_size("512MiB"), Ok(512 << 20));
        assert_eq!(parse_memory_size("1.5 g"), Ok(3 << 29));
        assert_eq!(parse_memory_size("2000000b"), Ok(2_000_000));
    }

    #[test]
    fn nonsense() {
        for text in [
            "",
            "4",
            "GB",
            "4XB",
            "-4GB",
            "4.5.6GB",
            "1KB",
            "999999999TB",
            "0GB",
            "inf",
        ] {
            assert!(parse_memory_size(text).is_err(), "{text}");
        }
    }
}
