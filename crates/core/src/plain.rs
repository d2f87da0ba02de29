//! A stranger's words, made harmless where a person reads them.
//!
//! Names in proof files, what provers print and blocks say come from outside. A terminal must not
//! obey them, and they must not look like what they are not: control characters, what turns the
//! direction of text around, and what cannot be seen are written as `\u{…}`. All else is left as it
//! is, in every script.
//!
//! Not here: how long words may be, and where they are shown.

use std::borrow::Cow;

/// Words on one line: no end of line is left in them.
#[must_use]
pub fn plain(words: &str) -> Cow<'_, str> {
    escaped(words, |letter| is_hidden(letter) || is_break(letter))
}

/// Words of several lines, and of tabs between them.
#[must_use]
pub fn plain_lines(words: &str) -> Cow<'_, str> {
    escaped(words, |letter| is_hidden(letter) && !matches!(letter, '\n' | '\t'))
}

/// JSON, still JSON: such characters stand within its strings alone, and have an escape there.
#[must_use]
pub fn plain_json(json: &str) -> Cow<'_, str> {
    if !json.contains(|letter| is_hidden(letter) && letter != '\n') {
        return Cow::Borrowed(json);
    }
    let mut plain = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_hidden(letter) && letter != '\n' {
            let units = &mut [0; 2];
            let escapes = letter.encode_utf16(units).iter().map(|unit| format!("\\u{unit:04x}"));
            plain.extend(escapes);
        } else {
            plain.push(letter);
        }
    }
    Cow::Owned(plain)
}

fn escaped(words: &str, is_bad: impl Fn(char) -> bool + Copy) -> Cow<'_, str> {
    if !words.contains(is_bad) {
        return Cow::Borrowed(words);
    }
    let mut plain = String::with_capacity(words.len() + 8);
    for letter in words.chars() {
        match (is_bad(letter), letter) {
            (false, letter) => plain.push(letter),
            (true, '\n' | '\r' | '\t') => plain.extend(letter.escape_default()),
            (true, letter) => plain.extend(letter.escape_unicode()),
        }
    }
    Cow::Owned(plain)
}

/// Whether a character does something other than to be seen.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{00ad}' // breaks a word where it is not seen to
            | '\u{061c}' | '\u{200e}' | '\u{200f}' // direction, of what is near
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // direction, of what follows
            | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' // no width at all
            | '\u{2028}' | '\u{2029}' // ends of a line or a paragraph
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // letters without a picture
            | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}' // tags and variants
        )
}

const fn is_break(letter: char) -> bool {
    matches!(letter, '\n' | '\r' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_stays_in_every_script() {
        for words in
            ["a \"b\" \\ c", "Grüße", "证明", "доказательство", "שלום", "cafe\u{301}", "🦀"]
        {
            assert_eq!((plain(words), plain_lines(words)), (words.into(), words.into()));
        }
    }

    #[test]
    fn a_terminal_is_told_nothing_and_no_word_looks_like_another() {
        assert_eq!(plain("a\u{1b}[2J\u{9b}b\r\n\tc\u{0}"), "a\\u{1b}[2J\\u{9b}b\\r\\n\\tc\\u{0}");
        for hidden in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{2028}', '\u{7f}'] {
            let words = format!("a{hidden}b");
            let shown = format!("a{}b", hidden.escape_unicode());
            assert_eq!((plain(&words), plain_lines(&words)), (shown.clone().into(), shown.into()));
        }
    }

    #[test]
    fn lines_stay_lines_and_a_return_does_not_write_over_them() {
        assert_eq!(plain_lines("a\n\tb\rc"), "a\n\tb\\rc");
    }

    #[test]
    fn json_stays_json() {
        let json = "{\"a\u{202e}\":\"\u{e0041}\"}";
        assert_eq!(plain_json(json), "{\"a\\u202e\":\"\\udb40\\udc41\"}");
        assert_eq!(plain_json("{}\n{}"), "{}\n{}");
    }
}
