"""Pictures: reading them and keeping them; pixels know no labels."""
