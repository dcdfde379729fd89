"""What users get: requests, response times, interference, whose energy it is."""
