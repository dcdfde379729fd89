"""Applications that scale: values, tables and figures."""
