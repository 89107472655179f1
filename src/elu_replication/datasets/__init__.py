"""Images and labels: fetched, verified and kept in data/."""
