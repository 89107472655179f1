"""Tables, figures, the page: everything that shows results and computes none."""
