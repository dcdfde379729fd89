"""What is said about a run: verdict, warnings, savings, fields without effect."""
