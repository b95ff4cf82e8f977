"""Objects of pictures in every form they come in; labels know no network."""
