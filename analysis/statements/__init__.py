"""What is said about a run: headline, savings, verdict, warnings."""
