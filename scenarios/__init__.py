"""A file becomes a run: specification, loader, readers of traces, builder, library."""
