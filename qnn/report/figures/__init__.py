"""The pictures of a report: what they show, and how it is drawn."""
