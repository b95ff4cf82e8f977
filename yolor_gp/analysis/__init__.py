"""Why a network learns: reads models, changes nothing in them."""
