//! Aligned columns.
//!
//! What a container chose (its command, its name in a label) is shown, never interpreted: control
//! characters are written as escapes, so that no container can repaint the user's terminal.

/// Rows under headings, three spaces between columns.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// What separates columns.
const GAP: usize = 3;
/// No column is cut below this.
const NARROWEST: usize = 8;

impl Table {
    /// An empty table.
    pub(crate) fn new<const N: usize>(headings: [&'static str; N]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with one cell for each heading.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.headings.len(), "one cell for each heading");
        self.rows.push(cells.map(|cell| printable(&cell)).into());
    }

    /// The text; with `width`, in characters, the widest columns are cut until the lines fit.
    pub(crate) fn render(&self, width: Option<usize>) -> String {
        let widths = self.widths(width);
        let mut text = String::new();
        let headings: Vec<String> = self.headings.iter().map(|&cell| cell.to_owned()).collect();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for (cell, &width) in row.iter().zip(&widths) {
                line.push_str(&cut(cell, width));
                let used = cell.chars().count().min(width);
                line.push_str(&" ".repeat(width - used + GAP));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.headings.iter().map(|cell| cell.len()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let Some(limit) = limit else { return widths };
        let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * (widths.len() - 1);
        while total(&widths) > limit {
            let Some(widest) = widths.iter_mut().max().filter(|width| **width > NARROWEST) else {
                break;
            };
            *widest -= 1;
        }
        widths
    }
}

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    let kept: String = cell.chars().take(width - 1).collect();
    format!("{kept}…")
}

/// The text with control characters written as escapes.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The width to cut to: the terminal's when standard output is one, else none.
pub(crate) fn width() -> Option<usize> {
    crate::terminal::output_width()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["ID", "COMMAND"]);
        table.row(["abc".into(), "sleep 100000 and a long tail".into()]);
        table.row(["abcdef".into(), "\x1b[2Jclear".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_and_lines_have_no_tail() {
        let text = table().render(None);
        assert_eq!(
            text,
            "ID       COMMAND\nabc      sleep 100000 and a long tail\nabcdef   \\u{1b}[2Jclear\n"
        );
    }

    #[test]
    fn the_widest_column_is_cut_to_the_terminal() {
        let text = table().render(Some(24));
        assert!(
            text.lines().all(|line| line.chars().count() <= 24),
            "{text}"
        );
        assert!(text.contains('…'));
    }

    #[test]
    fn a_terminal_too_narrow_for_anything_still_shows_something() {
        assert!(table().render(Some(3)).contains("abc"));
    }
}
