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
    // Rust's exponent form has the shortest digits: `-1.5e300`.
    let shortest = format!("{value:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let mut text = format!("{value}");
        if !text.contains('.') {
            text.push_str(".0");
        }
        return text;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let mut text = String::with_capacity(shortest.len() + 2);
    // Writing into a string cannot fail.
    let _ = write!(text, "{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    text
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
        ];
        for (value, text) in table {
            assert_eq!(float_repr(value), text);
        }
    }
}
