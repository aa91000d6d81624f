//! Amounts of memory, disk, cores and devices, as Kubernetes writes them.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// The value of a quantity such as `500m`, `1.5`, `8Gi` or `1e9`; `None` if it is none.
///
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>
pub fn parse_quantity(text: &str) -> Option<f64> {
    let end = text
        .char_indices()
        .find(|(i, c)| !(c.is_ascii_digit() || *c == '.' || (*i == 0 && matches!(c, '+' | '-'))))
        .map_or(text.len(), |(i, _)| i);
    let (number, suffix) = text.split_at(end);
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        exponent => {
            let digits = exponent.strip_prefix(['e', 'E'])?;
            10f64.powi(digits.parse().ok()?)
        }
    };
    if !number.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let value = number.parse::<f64>().ok()? * factor;
    value.is_finite().then_some(value)
}

/// Bytes of a quantity, if it is one and not negative.
pub fn bytes_of(quantity: &Quantity) -> Option<u64> {
    let value = parse_quantity(&quantity.0)?;
    // Casts of floats saturate.
    (value >= 0.0).then_some(value as u64)
}

/// Bytes as a quantity in the largest binary unit that shows them exactly, rounded up to MiB
/// where they are more than one.
pub fn memory_quantity(bytes: u64) -> Quantity {
    const MI: u64 = 1 << 20;
    let bytes = if bytes > MI {
        bytes.div_ceil(MI).saturating_mul(MI)
    } else {
        bytes
    };
    for (shift, unit) in [(40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")] {
        if bytes > 0 && bytes % (1 << shift) == 0 {
            return Quantity(format!("{}{unit}", bytes >> shift));
        }
    }
    Quantity(bytes.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_spellings_are_read() {
        for (text, value) in [
            ("0", 0.0),
            ("500m", 0.5),
            ("1.5", 1.5),
            ("8Gi", 8.0 * 1024.0 * 1024.0 * 1024.0),
            ("64Mi", 67_108_864.0),
            ("1e9", 1e9),
            ("1E3", 1e3),
            ("2k", 2000.0),
            ("3E", 3e18),
        ] {
            assert_eq!(parse_quantity(text), Some(value), "{text}");
        }
        for text in [
            "", "Gi", "8GB", "8gi", "1.2.3", "-", "e9", "1e", "8 Gi", "1e999",
        ] {
            assert_eq!(parse_quantity(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_are_written_in_round_units() {
        assert_eq!(memory_quantity(8 << 30).0, "8Gi");
        assert_eq!(memory_quantity((3 << 30) / 2).0, "1536Mi");
        assert_eq!(memory_quantity((1 << 20) + 1).0, "2Mi");
        assert_eq!(memory_quantity(1000).0, "1000");
        assert_eq!(memory_quantity(0).0, "0");
        assert_eq!(bytes_of(&memory_quantity(u64::MAX)), Some(u64::MAX));
    }
}
