//! Punycode (RFC 3492): any label in the letters, digits and hyphens of host names. Encoding only.

// The parameters of section 5.
const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_CODE_POINT: u32 = 128;

/// The label in Punycode, without the `xn--` in front. `None` when a count overflows, which takes a label far beyond the 63
/// bytes that a host name may hold.
pub(super) fn encode(label: &str) -> Option<String> {
    let mut encoded: String = label.chars().filter(char::is_ascii).collect();
    let ascii = u32::try_from(encoded.len()).ok()?;
    let total = u32::try_from(label.chars().count()).ok()?;
    if ascii > 0 {
        encoded.push('-');
    }

    let mut code_point = INITIAL_CODE_POINT;
    let mut delta = 0_u32;
    let mut bias = INITIAL_BIAS;
    let mut handled = ascii;
    while handled < total {
        let next = label
            .chars()
            .map(u32::from)
            .filter(|&c| c >= code_point)
            .min()?;
        delta = delta.checked_add((next - code_point).checked_mul(handled + 1)?)?;
        code_point = next;
        for character in label.chars().map(u32::from) {
            if character < code_point {
                delta = delta.checked_add(1)?;
            } else if character == code_point {
                push_number(&mut encoded, delta, bias);
                bias = adapt(delta, handled + 1, handled == ascii);
                delta = 0;
                handled += 1;
            }
        }
        delta = delta.checked_add(1)?;
        code_point += 1;
    }
    Some(encoded)
}

/// Appends `number` as a generalized variable-length integer (section 3.3).
fn push_number(encoded: &mut String, mut number: u32, bias: u32) {
    for k in (BASE..).step_by(BASE as usize) {
        let threshold = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if number < threshold {
            break;
        }
        let range = BASE - threshold;
        encoded.extend(digit(threshold + (number - threshold) % range));
        number = (number - threshold) / range;
    }
    encoded.extend(digit(number));
}

/// 0 to 25 are the letters, 26 to 35 the digits.
fn digit(number: u32) -> Option<char> {
    char::from_digit((number + 10) % BASE, BASE)
}

/// The bias for the next number (section 6.1).
fn adapt(delta: u32, handled: u32, first: bool) -> u32 {
    let mut delta = delta / if first { DAMP } else { 2 };
    delta += delta / handled;
    let mut k = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From RFC 3492, section 7.1, in lower case.
    #[test]
    fn the_samples_of_the_standard() {
        for (label, encoded) in [
            ("ليهمابتكلموشعربي؟", "egbpdaj6bu4bxfgehfvwxn"),
            ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
            ("pročprostěnemluvíčesky", "proprostnemluvesky-uyb24dma41a"),
            ("3年b組金八先生", "3b-ww4c5e180e575a65lsy2b"),
            (
                "なぜみんな日本語を話してくれないのか",
                "n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa",
            ),
            ("bücher", "bcher-kva"),
            ("ü", "tda"),
        ] {
            assert_eq!(encode(label).as_deref(), Some(encoded), "{label}");
        }
    }
}
