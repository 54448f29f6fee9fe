//! Rows of text in columns that are as wide as what is in them.

/// Lays out `rows`, the first of which are the heads. Numbers stand at the right end of their
/// column; nothing stands at the end of a line.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or_default());
    let is_number = |column: usize| {
        let mut cells = rows.iter().skip(1).map(|row| row[column].as_str()).filter(|it| *it != "-");
        cells.clone().next().is_some() && cells.all(|cell| cell.parse::<u64>().is_ok())
    };
    let is_right: [bool; N] = std::array::from_fn(is_number);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).zip(is_right).map(|((cell, width), is_right)| {
            if is_right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(rows: &[[&str; 3]]) -> Vec<String> {
        let rows: Vec<_> = rows.iter().map(|row| row.map(str::to_owned)).collect();
        columns(&rows)
    }

    #[test]
    fn columns_are_as_wide_as_their_longest_cell_and_numbers_stand_right() {
        let rows = [["NAME", "LAG", "ROLE"], ["a", "1000", "voter"], ["b-long", "-", ""]];
        let lines = ["NAME     LAG  ROLE", "a       1000  voter", "b-long     -"];
        assert_eq!(laid_out(&rows), lines);
    }

    #[test]
    fn a_table_without_rows_is_its_heads() {
        assert_eq!(laid_out(&[["A", "B", "C"]]), ["A  B  C"]);
        assert_eq!(laid_out(&[]), [""; 0]);
    }
}
