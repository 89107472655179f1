"""Published claims, what runs and mathematics say of them, and the verdicts."""
