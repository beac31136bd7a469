//! Characters that nobody sees: controls, such as turn the direction of what follows, and such as have no width. One set for names, which
//! have none of them, and for all that is shown to people, where each is written out.

/// Whether a character cannot be seen, or changes how others are seen.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            u32::from(c),
            0xAD | 0x34F
                | 0x61C
                | 0x115F
                | 0x1160
                | 0x17B4
                | 0x17B5
                | 0x180B..=0x180F
                | 0x200B..=0x200F
                | 0x2028..=0x202E
                | 0x2060..=0x206F
                | 0x3164
                | 0xFE00..=0xFE0F
                | 0xFEFF
                | 0xFFA0
                | 0xFFF9..=0xFFFB
                | 0x1BCA0..=0x1BCA3
                | 0x1D173..=0x1D17A
                | 0xE0000..=0xE0FFF
        )
}

/// A text in one line in which everything can be seen.
pub fn marked(text: &str) -> String {
    let mut marked = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => marked.push(' '),
            c if is_unseen(c) => marked.push_str(&mark(c)),
            c => marked.push(c),
        }
    }
    marked
}

/// What stands for a character that cannot be seen.
pub fn mark(c: char) -> String {
    format!("[U+{:04X}]", u32::from(c))
}
