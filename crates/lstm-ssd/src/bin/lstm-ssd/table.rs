//! Tables, as Markdown that reads well in a terminal too.

/// The first column to the left, all others to the right; the first row is the header.
pub fn markdown<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(3)
    };
    let widths: [usize; N] = core::array::from_fn(width);
    let mut table = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            table += &match column {
                0 => format!("| {cell:<width$} "),
                _ => format!("| {cell:>width$} "),
            };
        }
        table += "|\n";
        if index == 0 {
            for (column, width) in widths.into_iter().enumerate() {
                let end = if column == 0 { '-' } else { ':' };
                table += &format!("| {}{end} ", "-".repeat(width - 1));
            }
            table += "|\n";
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["video", "AP50"], ["a", "0.8366"]].map(|row| row.map(String::from));
        let expected = "| video |   AP50 |\n| ----- | -----: |\n| a     | 0.8366 |\n";
        assert_eq!(markdown(&rows), expected);
    }
}
