"""One to many processes: joining, exchanging, noticing that one is gone."""
