"""An entry's folder: card, code, requirements."""
