"""A local page to look at answers, put them right and keep what was decided as training rows (`thce review`)."""
