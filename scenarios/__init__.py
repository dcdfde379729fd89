"""From a scenario file to a run: language, loader, readers of traces, builder, library."""
