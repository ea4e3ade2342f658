"""How the embedded data and checkpoint were made."""
