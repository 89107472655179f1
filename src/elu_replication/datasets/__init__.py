"""Images and labels: fetched, verified and stored in data/."""
