"""Pictures: boxes and masks drawn, curves plotted."""
