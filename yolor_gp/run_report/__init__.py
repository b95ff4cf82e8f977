"""What a run has learned and where it fails, as one page; or of several runs side by side."""
