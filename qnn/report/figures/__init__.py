"""The charts of a report: their content and their drawing."""
