"""Topics of a run, each one object with values, tables, figures, section; all in catalogue.py."""
