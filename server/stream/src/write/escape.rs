//! Escaping. Clean stretches, which is nearly all text, are found sixteen bytes at a time and copied whole.

/// Character data. `>` is always escaped, so `]]>` cannot arise; a carriage return would be read back as a line feed.
pub fn text(out: &mut Vec<u8>, value: &str) {
    escape(out, value, |byte| byte < 0x20 || matches!(byte, b'&' | b'<' | b'>' | 0xEF), text_form);
}

/// The value of an attribute between single quotes. Blanks other than a space would be read back as a space.
pub fn attribute_value(out: &mut Vec<u8>, value: &str) {
    escape(out, value, |byte| byte < 0x20 || matches!(byte, b'&' | b'<' | b'\'' | 0xEF), value_form);
}

const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();

fn text_form(byte: u8) -> &'static [u8] {
    match byte {
        b'\n' => b"\n",
        b'\t' => b"\t",
        _ => value_form(byte),
    }
}

fn value_form(byte: u8) -> &'static [u8] {
    match byte {
        b'&' => b"&amp;",
        b'<' => b"&lt;",
        b'>' => b"&gt;",
        b'\'' => b"&apos;",
        b'\t' => b"&#9;",
        b'\n' => b"&#10;",
        b'\r' => b"&#13;",
        _ => REPLACEMENT,
    }
}

fn escape(out: &mut Vec<u8>, value: &str, special: impl Fn(u8) -> bool, form: fn(u8) -> &'static [u8]) {
    let mut rest = value.as_bytes();
    loop {
        let (plain, tail) = rest.split_at(clean(rest, &special));
        out.extend_from_slice(plain);
        rest = match tail {
            [] => return,
            // U+FFFE and U+FFFF are no XML characters.
            [0xEF, 0xBF, 0xBE | 0xBF, after @ ..] => {
                out.extend_from_slice(REPLACEMENT);
                after
            }
            [0xEF, after @ ..] => {
                out.push(0xEF);
                after
            }
            [byte, after @ ..] => {
                out.extend_from_slice(form(*byte));
                after
            }
        };
    }
}

/// Length of the stretch without special bytes. The fold has no early exit: so it is vectorised.
fn clean(bytes: &[u8], special: &impl Fn(u8) -> bool) -> usize {
    let mut length = 0;
    for chunk in bytes.chunks(16) {
        if chunk.iter().fold(false, |hit, byte| hit | special(*byte)) {
            return length + chunk.iter().take_while(|byte| !special(**byte)).count();
        }
        length += chunk.len();
    }
    length
}
