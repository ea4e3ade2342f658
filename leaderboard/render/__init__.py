"""The board as a page, Markdown, CSV, LaTeX and JSON, and what changed since the last one."""
