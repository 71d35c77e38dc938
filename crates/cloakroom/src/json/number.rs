use std::fmt::Write as _;

/// Python reads no longer integers (`sys.int_info.default_max_str_digits`).
pub(super) const MAX_DIGITS: usize = 4300;

/// Python's `repr(float)`, which is also its JSON text but for NaN and the infinities: the shortest
/// digits that read back, in fixed notation from 1e-4 up to 1e16, else with an exponent.
pub fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    layout(value, -4, |exponent| {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{sign}{:02}", exponent.unsigned_abs())
    })
}

/// A finite float as Rust's and msgspec's JSON have it: fixed notation from 1e-5 up to 1e16, else an
/// exponent without plus sign or padding.
pub(crate) fn float_compact(value: f64) -> String {
    layout(value, -5, |exponent| exponent.to_string())
}

/// The digits of a finite float, in fixed notation for exponents from `fixed_from` to 15.
fn layout(value: f64, fixed_from: i32, exponent_text: impl Fn(i32) -> String) -> String {
    let shortest = shortest(value);
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mut text = String::with_capacity(shortest.len() + 5);
    // Writing into a string cannot fail.
    if !(fixed_from..16).contains(&exponent) {
        let _ = write!(text, "{mantissa}e{}", exponent_text(exponent));
        return text;
    }
    let (minus, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    let places = exponent.unsigned_abs() as usize;
    if exponent < 0 {
        let _ = write!(text, "{minus}0.{:0>1$}", digits, digits.len() + places - 1);
    } else if let Some((whole, rest)) = digits.split_at_checked(places + 1)
        && !rest.is_empty()
    {
        let _ = write!(text, "{minus}{whole}.{rest}");
    } else {
        let _ = write!(text, "{minus}{:0<1$}.0", digits, places + 1);
    }
    text
}

/// The shortest digits that read back, as `-1.5e300`. Where two are equally near, Python takes the even one and Rust
/// the larger, so for 820094577889326.25 they are …326.2 and …326.3.
fn shortest(value: f64) -> String {
    let shortest = format!("{value:e}");
    let digits = shortest
        .bytes()
        .take_while(|byte| *byte != b'e')
        .filter(u8::is_ascii_digit)
        .count();
    // With fewer digits there is nothing halfway between two of them that a float can hold.
    if digits >= 15 {
        let nearest = format!("{value:.*e}", digits - 1);
        if nearest.parse() == Ok(value) {
            return nearest;
        }
    }
    shortest
}

/// The JSON text of a float: as [`float_repr`], but `NaN`, `Infinity`, `-Infinity`.
pub(super) fn float_json(value: f64) -> String {
    match float_repr(value).as_str() {
        "nan" => "NaN".to_owned(),
        "inf" => "Infinity".to_owned(),
        "-inf" => "-Infinity".to_owned(),
        finite => finite.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::float_repr;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        let table = [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (-0.0, "-0.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e300, "1.5e+300"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (5e-324, "5e-324"),
            (1.25e-7, "1.25e-07"),
            (123_456.789, "123456.789"),
            (f64::MAX, "1.7976931348623157e+308"),
            (-12_345.0, "-12345.0"),
            (-0.000_123, "-0.000123"),
            // Halfway between two texts of the same length.
            (820_094_577_889_326.0 + 0.25, "820094577889326.2"),
            (820_094_577_889_326.0 + 0.75, "820094577889326.8"),
            (-200_000_000_000_000.0 - 0.125, "-200000000000000.12"),
            // Nearer below than above: the nearest digits would not read back.
            (5.684_341_886_080_802e-14, "5.684341886080802e-14"),
        ];
        for (value, text) in table {
            assert_eq!(float_repr(value), text);
        }
    }
}
