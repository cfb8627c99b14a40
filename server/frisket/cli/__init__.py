"""The command line: `frisket serve | inpaint | jobs | plugin | doctor | demo`."""
