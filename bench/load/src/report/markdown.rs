//! Tables that read well in the source too.

/// A table whose first columns are text, to the left, and whose others are figures, to the right.
#[derive(Debug, Default)]
pub(super) struct Table {
    text_columns: usize,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new<T: Into<String>>(
        text_columns: usize,
        header: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            text_columns,
            header: header.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// A cell that is missing is empty.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Nothing for a table without rows.
    pub(super) fn text(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let columns = self.header.len();
        let cell = |row: &[String], column: usize| {
            let text = row.get(column).map_or("", String::as_str);
            text.replace('|', "\\|").replace('\n', " ")
        };
        let width = |column: usize| {
            let rows = self.rows.iter().map(|row| cell(row, column));
            let all = rows.chain([cell(&self.header, column)]);
            all.map(|text| text.chars().count())
                .max()
                .unwrap_or(0)
                .max(3)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &[String]| {
            let cells: Vec<String> = (0..columns)
                .map(|column| {
                    let text = cell(row, column);
                    let space = " ".repeat(widths[column] - text.chars().count());
                    match column < self.text_columns {
                        true => format!("{text}{space}"),
                        false => format!("{space}{text}"),
                    }
                })
                .collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule: Vec<String> = (0..columns)
            .map(|column| match column < self.text_columns {
                true => "-".repeat(widths[column]),
                false => format!("{}:", "-".repeat(widths[column] - 1)),
            })
            .collect();
        let rule = format!("| {} |\n", rule.join(" | "));
        let rows = self.rows.iter().map(|row| line(row));
        [line(&self.header), rule].into_iter().chain(rows).collect()
    }
}

/// A heading with its text below.
pub(super) fn section(title: &str, about: &str, table: &Table) -> String {
    if table.is_empty() {
        return String::new();
    }
    format!("## {title}\n\n{about}\n\n{}", table.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_even_figures_to_the_right_and_bars_do_not_end_a_cell() {
        let mut table = Table::new(1, ["name", "µs"]);
        table.row(vec!["a|b".to_owned(), "1.00".to_owned()]);
        table.row(vec!["cloakroom".to_owned()]);
        let expected = "\
| name      |   µs |
| --------- | ---: |
| a\\|b      | 1.00 |
| cloakroom |      |
";
        assert_eq!(table.text(), expected);
    }

    #[test]
    fn nothing_measured_is_no_section() {
        assert_eq!(section("Title", "About", &Table::new(1, ["name"])), "");
    }
}
