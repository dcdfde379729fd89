"""One topic a file: values, tables, figures, notes."""
